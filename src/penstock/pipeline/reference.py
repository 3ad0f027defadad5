"""Where user code is found: a directory, a module and a name; never a pickle of it.

A reference means the same in every process and under every Python. So it never says ``__main__``, which
is another module in each process: the file that is run as a script is named as ``import`` would name it.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from types import ModuleType
from typing import Any, Optional, Tuple

import msgspec

from penstock.errors import EnvironmentFault, WiringError
from penstock.pipeline.nearest import nearest
from penstock.pipeline.place import Place, near

INSTALLED = ("site-packages", "dist-packages")
"""Directories of installed packages: another interpreter has its own, and must never be led to ours."""


class Reference(msgspec.Struct, frozen=True):
    """Where user code is found: never a pickle of it."""

    root: str
    """Directory put first on ``sys.path``; ``""``: the module is installed wherever it is needed."""
    module: str
    """Import name, for example ``app`` or ``steps.clean``; never ``__main__``."""
    name: str
    """Qualified name inside the module, for example ``normalise``."""

    def __str__(self) -> str:
        return f"{self.module}:{self.name}"


EXTERNAL = Reference("", "penstock", "attach")
"""In place of the code of a stage that a script takes while the pipeline runs: nobody imports it."""


# ------------------------------------------------------------------------- from an object to its name


def of(obj: Any) -> Reference:
    """The reference of a function or class that lies at the top level of a file or inside a class there.

    Raises:
        WiringError: nobody else could import it: a lambda, a nested function, a name that now means
            something else, or a definition typed into an interactive session.
    """
    module = sys.modules.get(getattr(obj, "__module__", None) or "")
    name = _given_name(obj) or getattr(obj, "__qualname__", None)
    if not isinstance(name, str) or module is None:
        raise WiringError(f"{obj!r} is neither a function nor a class; other processes find code by its name")
    _refuse_local(name)
    _refuse_rebound(obj, module, name)
    root, imported = _home(module, name)
    return Reference(root, imported, name)


def name_of(obj: Any) -> str:
    """What people call a function or class: its own name, that of a lambda's variable, that of its type."""
    return _given_name(obj) or str(getattr(obj, "__name__", type(obj).__name__))


def told(value: Any) -> str:
    """A value of somebody's code, as it is shown in a sentence: code by its name and place, all else as it is
    written. (The ``repr`` of a function is an address.)"""
    where = getattr(value, "__code__", None)
    if where is None:
        return value.__name__ if isinstance(value, type) else repr(value)
    place = Place(where.co_filename, where.co_firstlineno)
    return f"{value.__name__.strip('<>')} of {place}"


def _given_name(obj: Any) -> Optional[str]:
    """The variable at the top level of its file that holds a lambda, if ``obj`` is one and one does."""
    if getattr(obj, "__qualname__", None) != "<lambda>":
        return None
    module = sys.modules.get(obj.__module__)
    return next((name for name, value in vars(module).items() if value is obj), None) if module else None


def _refuse_local(name: str) -> None:
    if "<lambda>" in name:
        raise WiringError(
            "a lambda has no name by which another process could import it; give it one at the top level of"
            " its file, or write a function there"
        )
    if "<locals>" in name:
        inner, outer = name.rpartition(".")[2], name.partition(".<locals>")[0]
        raise WiringError(
            f"{inner!r} is defined inside {outer!r}, where no other process can import it; move it to the top"
            " level of its file (if a decorator made it, use functools.wraps there)"
        )


def _refuse_rebound(obj: Any, module: ModuleType, name: str) -> None:
    """The name must lead back to the object, or the workers would quietly run something else."""
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is not obj and getattr(found, "target", None) is not obj:
        place = near(getattr(module, "__file__", None) or module.__name__)
        now = "no longer there" if found is None else "something else by now"
        raise WiringError(
            f"the name {name!r} in {place} is {now}; other processes find the code by that name"
        )


def _home(module: ModuleType, name: str) -> Tuple[str, str]:
    """The root directory and the import name of a module that is loaded here."""
    file = getattr(module, "__file__", None)
    spec = getattr(module, "__spec__", None)
    if module.__name__ != "__main__":
        return _root(file, module.__name__), module.__name__
    if not file or not os.path.isfile(file):
        raise WiringError(
            f"{name!r} is defined in an interactive session, where none can import it; put it into a file"
        )
    if spec is not None and spec.name != "__main__":  # python -m package.app
        return _root(file, spec.name), spec.name
    return os.path.dirname(os.path.abspath(file)), _stem(file)


def _root(file: Optional[str], module: str) -> str:
    """The directory from which ``import module`` finds ``file``; none for what is built in or installed."""
    if not file or _is_installed(file):
        return ""
    folder = os.path.dirname(os.path.abspath(file))
    is_package = os.path.basename(file).startswith("__init__.")
    for _ in range(module.count(".") + is_package):
        folder = os.path.dirname(folder)
    return folder


def _is_installed(file: str) -> bool:
    standard_library = os.path.join(os.path.dirname(os.__file__), "")
    return file.startswith(standard_library) or any(part in INSTALLED for part in file.split(os.sep))


def _stem(file: str) -> str:
    """The import name of a script."""
    stem = os.path.splitext(os.path.basename(file))[0]
    if "." in stem or stem == "__main__":
        raise WiringError(
            f"no other process can import {near(file)} under the name {stem!r}; rename the file"
        )
    return stem


# --------------------------------------------------------------------------- from text to a reference


def parse(text: str, base_file: str) -> Reference:
    """Read ``"steps/clean.py:clean"`` (relative to ``base_file``'s directory) or ``"steps.clean:clean"``.

    Nothing is imported. A file must exist; a module is not looked for, as another interpreter may be the
    only one that has it.

    Raises:
        WiringError: not of that form, or no such file or name; says the nearest.
    """
    place, colon, name = text.rpartition(":")
    if not (colon and place and all(part.isidentifier() for part in name.split("."))):
        raise WiringError(
            f'{text!r} names no code; write "path/to/file.py:function" or "package.module:function"'
        )
    base = os.path.dirname(os.path.abspath(base_file))
    if os.sep not in place and not place.endswith(".py"):
        return Reference(_above_packages(base), place, name)
    path = os.path.normpath(os.path.join(base, os.path.expanduser(place)))
    _refuse_missing(path, name)
    return Reference(*_module_of(path, base), name)


def _module_of(path: str, base: str) -> Tuple[str, str]:
    """Root and import name of a file: below the calling file as seen from there, else as seen from itself."""
    root = _above_packages(base)
    if not path.startswith(os.path.join(root, "")) or "." in os.path.relpath(path, root)[: -len(".py")]:
        root = _above_packages(os.path.dirname(path))
    _stem(path)
    return root, os.path.relpath(path, root)[: -len(".py")].replace(os.sep, ".")


def _above_packages(folder: str) -> str:
    """The first directory upwards that is not itself a package."""
    while os.path.exists(os.path.join(folder, "__init__.py")):
        folder = os.path.dirname(folder)
    return folder


def _refuse_missing(path: str, name: str) -> None:
    folder, file = os.path.split(path)
    if not os.path.isfile(path):
        known = os.listdir(folder) if os.path.isdir(folder) else ()
        hint = nearest(file, [entry for entry in known if entry.endswith(".py")])
        raise WiringError(f"there is no file {near(path)}{hint}")
    if not file.endswith(".py"):
        raise WiringError(f"{near(path)} is not a Python file")
    _refuse_unwritten(path, name.partition(".")[0])


def _refuse_unwritten(path: str, name: str) -> None:
    """Refuse a name that its file does not even mention: found here, a slip costs no start of a process.

    Reading is enough, and must be: the file may need packages or a Python that we do not have. Where
    names can come from elsewhere (a star import, computed names) only the worker can tell.
    """
    with open(path, encoding="utf-8", errors="replace") as file:
        text = file.read()
    computed = any(sign in text for sign in ("import *", "globals()", "__getattr__", "exec("))
    if not computed and not re.search(rf"\b{name}\b", text):
        defined = re.findall(r"^(?:def|class) +(\w+)", text, re.MULTILINE)
        raise WiringError(f"{near(path)} defines no {name!r}{nearest(name, defined)}")


# ------------------------------------------------------------------------- from a reference to the code


def load(reference: Reference) -> Any:
    """Import what ``reference`` names, in a process that is going to run it.

    Its root is put first on ``sys.path``. A decorated function comes back as the ``Stage`` it became:
    the code itself is its ``.target``. What the module raises while it is imported passes through.

    Raises:
        WiringError: no such module or name there; says the nearest.
        EnvironmentFault: the module needs a package which this interpreter does not have.
    """
    if reference.root and sys.path[:1] != [reference.root]:
        sys.path.insert(0, reference.root)
    module = _import(reference)
    _refuse_shadowed(reference, module)
    found: Any = module
    for part in reference.name.split("."):
        if not hasattr(found, part):
            known = [name for name in dir(found) if not name.startswith("_")]
            place = near(getattr(module, "__file__", None) or reference.module)
            raise WiringError(f"{place} defines no {reference.name!r}{nearest(part, known)}")
        found = getattr(found, part)
    return found


def _import(reference: Reference) -> ModuleType:
    try:
        return importlib.import_module(reference.module)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if not f"{reference.module}.".startswith(f"{missing}."):
            raise EnvironmentFault(
                f"{reference} needs the package {missing!r}, which {sys.executable} does not have;"
                " install it there, or give the stage another interpreter"
            ) from error
        folder = os.path.join(reference.root, *reference.module.split(".")[:-1])
        entries = os.listdir(folder) if reference.root and os.path.isdir(folder) else []
        modules = [entry[: -len(".py")] for entry in entries if entry.endswith(".py")]
        hint = nearest(reference.module.rpartition(".")[2], modules)
        where = f" below {near(reference.root)}" if reference.root else ""
        raise WiringError(
            f"there is no module {reference.module!r}{where} for {sys.executable}{hint}"
        ) from error


def _refuse_shadowed(reference: Reference, module: ModuleType) -> None:
    """A file called ``queue.py`` would give us the standard library's ``queue``, which is already loaded."""
    stem = os.path.join(reference.root, *reference.module.split("."))
    meant = [path for path in (f"{stem}.py", os.path.join(stem, "__init__.py")) if os.path.isfile(path)]
    file = getattr(module, "__file__", None)
    if reference.root and meant and (not file or not any(os.path.samefile(file, path) for path in meant)):
        other = file or "a built-in module"
        raise WiringError(
            f"`import {reference.module}` finds {other} instead of {near(meant[0])}; rename that file"
        )
