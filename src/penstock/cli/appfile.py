"""The user's app file: found, imported under its own module name, asked for its pipeline.

``python app.py`` runs the file as ``__main__``; here it is imported as ``app``. Both ways give every
stage the same reference, because a reference is never named ``__main__``.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import penstock
from penstock.errors import PenstockError, UserError
from penstock.pipeline.nearest import nearest

if TYPE_CHECKING:
    from penstock import Pipeline
    from penstock.pipeline.plan import Plan
    from penstock.pipeline.service import Service
    from penstock.tasks.task import Task

TAKEN = {"penstock", "zmq", "msgspec", "numpy"}
"""Modules a worker has imported before it looks for the user's: one of these names would give it ours."""


class AppNotFound(UserError):
    """There is no such file, or no such pipeline in it."""

    exit_code = 3


class BrokenApp(UserError):
    """The file cannot be imported. ``traceback`` shows the user's own frames."""

    def __init__(self, message: str, traceback: str = "") -> None:
        super().__init__(message)
        self.traceback = traceback


class App(NamedTuple):
    """A pipeline and the file that declares it."""

    path: Path
    pipeline: Pipeline

    def plan(self, flags: Sequence[str] = (), profile: str | None = None) -> Plan:
        """Its plan, with what ``penstock.toml``, variables and ``flags`` say.

        Raises:
            UserError: something in these is wrong, or the wiring.
        """
        from penstock.config.configuration import configured

        return configured(self.pipeline, os.environ, flags=flags, profile=profile)


def load(spec: str | None = None) -> App:
    """Import ``app.py`` or ``app.py:pipeline`` and return its pipeline.

    Nothing said: what ``penstock.toml`` calls its ``app``, else ``app.py``.

    Raises:
        AppNotFound: no such file or pipeline; names the nearest.
        BrokenApp: importing it raised; has the traceback.
        WiringError: the pipeline is wired wrongly.
    """
    path, name = _locate(spec or _named() or "app.py")
    return App(path, _choose(path, _pipelines(_import(path)), name))


def tasks(spec: str) -> tuple[Path, list[Task[Any, Any]]]:
    """Import a file, and return its path and the tasks in it, each once.

    Raises:
        AppNotFound: no such file, or it declares no task.
        BrokenApp: importing it raised; has the traceback.
    """
    path, found, _ = work(spec)
    if not found:
        raise AppNotFound(f"{path.name} declares no task; put `@task` above a function")
    return path, found


def work(spec: str) -> tuple[Path, list[Task[Any, Any]], list[str]]:
    """Import a file, and return its path, the tasks in it, and the queues that its pipelines draw from or put
    into, each once. There may be none.

    Raises:
        AppNotFound: no such file.
        BrokenApp: importing it raised; has the traceback.
    """
    from penstock.tasks.task import Task

    path, _ = _locate(spec)
    module = _import(path)
    found = {id(value): value for value in vars(module).values() if isinstance(value, Task)}
    queues = {
        node.options.queue
        for pipeline in _pipelines(module).values()
        for node in pipeline.nodes
        if node.options.queue
    }
    return path, list(found.values()), sorted(queues)


def task(spec: str) -> Task[Any, Any]:
    """Import a file, and return the task that is named behind the colon: ``app.py:train``.

    Raises:
        AppNotFound: no such file or task; names the nearest.
        BrokenApp: importing it raised; has the traceback.
    """
    path, found = tasks(spec)
    known = {each.name: each for each in found}
    name = _locate(spec)[1]
    if name not in known:
        raise AppNotFound(f"{path.name} has no task {name!r}{nearest(name, known)}")
    return known[name]


def service(spec: str, app: str) -> Service[Any, Any]:
    """The service that is meant by ``spec``: a name in the file ``app``, ``file.py:name``, or ``module:name``
    as that file would import it.

    Raises:
        AppNotFound: there is no such file or module, or it has no such name; names the nearest.
        BrokenApp: importing it raised; has the traceback.
        UserError: what is there is no service.
    """
    from penstock.pipeline.service import Service

    where, _, name = spec.rpartition(":")
    sys.path.insert(0, os.path.dirname(app))
    if not where or where.endswith(".py"):
        path, _ = _locate(where or app)
        where, known = path.name, vars(_import(path))
    else:
        known = vars(_load(where, where))
    found = known.get(name)
    if found is None:
        raise AppNotFound(f"{where} has no {name!r}{nearest(name, known)}")
    if not isinstance(found, Service):
        raise UserError(f"{name} in {where} is no service; put `@service` above it")
    return found


def directory() -> str:
    """Where the app lies that is meant where none is named; else the current directory."""
    app = _named()
    return os.path.dirname(os.path.abspath(app.partition(":")[0])) if app else os.getcwd()


def _named() -> str | None:
    """The app of the nearest configuration, seen from the current directory."""
    from penstock.config.file import nearest_file

    found = nearest_file(os.getcwd())
    return os.path.relpath(found.app) if found and found.app else None


def _locate(spec: str) -> tuple[Path, str]:
    """Split ``spec`` at the colon after the file's name."""
    stem, suffix, name = spec.partition(".py:")
    path = Path(stem + ".py" if suffix else spec)
    if path.is_dir():
        path = path / "app.py"
    if not path.is_file():
        raise AppNotFound(f"there is no file {path}{_suggest_file(path)}")
    if path.suffix != ".py":
        raise AppNotFound(f"{path} is not a Python file; a pipeline is declared in one, for example app.py")
    return path.resolve(), name


def _suggest_file(path: Path) -> str:
    """Name the Python file that may be meant: a near name, the only one, or what stands before a colon."""
    module = Path(str(path).partition(":")[0] + ".py")
    if module.is_file():
        return f"; did you mean {module}:{str(path).partition(':')[2]}?".replace(":?", "?")
    files = sorted(file.name for file in path.parent.glob("*.py"))
    near = difflib.get_close_matches(path.name, files, 1) or (files if len(files) == 1 else [])
    if near:
        return f"; did you mean {path.with_name(near[0])}?"
    return "; `penstock init` writes one" if path.name == "app.py" else ""


def _import(path: Path) -> ModuleType:
    """Import the file as ``import <stem>`` would with its directory first on ``sys.path``."""
    name = path.stem
    _refuse_name(path, name)
    sys.path.insert(0, str(path.parent))
    return _load(name, path.name)


def _load(name: str, shown: str) -> ModuleType:
    """Import the module ``name``; ``shown``: how people know it."""
    try:
        return importlib.import_module(name)
    except PenstockError:
        raise
    except SystemExit as error:
        raise BrokenApp(
            f"{shown} ended the program while it was imported (exit {error.code}); "
            'put what only a script does under `if __name__ == "__main__":`'
        ) from None
    except Exception as error:
        summary = "".join(traceback.format_exception_only(error)).strip().splitlines()[-1]
        raise BrokenApp(f"{shown} cannot be imported: {summary}", user_traceback(error)) from error


def _refuse_name(path: Path, name: str) -> None:
    """Refuse a name that cannot be imported or finds something else: it would puzzle in every worker."""
    if "." in name:
        raise BrokenApp(f"{path}: a module cannot have a dot in its name; rename the file")
    if name in TAKEN or name in sys.stdlib_module_names:
        raise BrokenApp(f"{path}: `import {name}` finds another module, not this file; rename the file")
    package = path.with_suffix("") / "__init__.py"
    if package.exists():
        raise BrokenApp(
            f"{path}: `import {name}` finds the package {package.parent}, not this file; rename one of them"
        )
    known = getattr(sys.modules.get(name), "__file__", None)
    if name in sys.modules and (known is None or Path(known).resolve() != path):
        raise BrokenApp(f"{path}: penstock itself uses a module `{name}`; rename the file")


def _pipelines(module: ModuleType) -> dict[str, Pipeline]:
    """The pipelines of a module by the variable that holds them; a second name for one is left out."""
    found: dict[str, Pipeline] = {}
    for variable, value in vars(module).items():
        if isinstance(value, penstock.Pipeline) and all(value is not known for known in found.values()):
            found[variable] = value
    return found


def _choose(path: Path, pipelines: dict[str, Pipeline], name: str) -> Pipeline:
    """The one that is asked for by its variable or its own name; without a name, the only one."""
    if not pipelines:
        raise AppNotFound(
            f"{path.name} declares no pipeline; it needs a line like `pipeline = Pipeline(...)`"
        )
    by_name = {pipeline.name: pipeline for pipeline in pipelines.values()} | pipelines
    if name in by_name:
        return by_name[name]
    if name:
        raise AppNotFound(f"{path.name} has no pipeline {name!r}{nearest(name, pipelines)}")
    if len(pipelines) > 1:
        raise AppNotFound(
            f"{path.name} declares {len(pipelines)} pipelines; say which: "
            + ", ".join(f"{path.name}:{variable}" for variable in pipelines)
        )
    return next(iter(pipelines.values()))


def user_traceback(error: BaseException) -> str:
    """The traceback of ``error`` without the frames of penstock and of the import machinery."""
    shown = traceback.TracebackException.from_exception(error)
    _keep_user_frames(shown)
    return "".join(shown.format())


def _keep_user_frames(shown: traceback.TracebackException) -> None:
    ours = str(Path(penstock.__file__).parent)
    hidden = (ours, "<frozen importlib", str(Path(importlib.__file__).parent))
    shown.stack = traceback.StackSummary.from_list(
        [frame for frame in shown.stack if not frame.filename.startswith(hidden)]
    )
    for linked in (shown.__cause__, shown.__context__):
        if linked is not None:
            _keep_user_frames(linked)
