"""Runs in the worker, first of all: the stage's own interpreter executes this file, whatever version it is.

    <interpreter> -s -X faulthandler boot.py <control fd> <pid of the supervisor>
    <interpreter> -s -X faulthandler boot.py debug <what is wanted>    in somebody's terminal

It ties the worker's life to its supervisor's, sees that this interpreter can run a worker at all, makes the
very ``penstock`` that this file belongs to importable (and nothing else of the supervisor's environment),
and hands over to ``life.main``. Only the standard library is at hand here, and the syntax is that of
Python 3.6, or an old one could not even say that it is too old.
"""

import os
import sys

FAULT = 78
"""Exit code where this interpreter cannot run a worker; ``death.BOOT_FAULT`` for the supervisor."""
OLDEST = (3, 9)
LAYER = "PENSTOCK_LAYER"
"""``zmq,msgspec:FOLDER``: what brings what an environment lacks of these, and what of it is too old there."""
NEEDS = (("zmq", "pyzmq", (25,)), ("msgspec", "msgspec", (0, 18, 6)))


def fault(text: str) -> None:
    """Say in one line what is wrong, where the supervisor looks for it, and end."""
    sys.stderr.write("PENSTOCK-BOOT-ERROR " + text + "\n")
    sys.stderr.flush()
    os._exit(FAULT)


def die_with(parent: int) -> None:
    """Have the kernel kill us when our supervisor ends, by whatever cause."""
    try:
        import ctypes
    except ImportError:
        return  # a Python built without libffi: the end of the control socket will tell us, a little later
    ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL
    if os.getppid() != parent:
        # It ended before we asked; if it did not, its child is a program that has started us.
        fault(f"{sys.executable} was started by another program; give the path of the Python itself")


def offer_to_oom_killer() -> None:
    """When memory runs out one worker shall die, which is mended, and not the supervisor, which is not."""
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("500")
    except OSError:
        pass


def keep_memory() -> None:
    """Have malloc keep what is freed at the top of the heap, up to 64 MiB. It would give back a quarter of
    a megabyte with every batch and take it again with the next, at 60 page faults: 0.2 of 0.3 ms. (The
    figures are those glibc itself arrives at once a program has freed 32 MiB at a time.)"""
    try:
        import ctypes

        mallopt = ctypes.CDLL(None).mallopt
    except (ImportError, AttributeError):
        return  # a libc without it
    mallopt(-3, 32 << 20)  # M_MMAP_THRESHOLD
    mallopt(-1, 64 << 20)  # M_TRIM_THRESHOLD


def check_interpreter() -> None:
    """This must be a CPython that is new enough."""
    name, version = sys.implementation.name, sys.version.split()[0]
    if name != "cpython" or sys.version_info < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        fault(f"{sys.executable} is {name} {version}; stages need CPython {oldest} or newer")


def put_layer() -> str:
    """Behind all that the environment has: its own packages count, but for those that are too old for us.
    Returns the folder; empty: there is none."""
    old, _, layer = os.environ.pop(LAYER, "").partition(":")
    if not layer:
        return ""
    if old:
        sys.path.insert(0, layer)
        try:
            for module in old.split(","):
                __import__(module)
        except ImportError as error:
            fault(f"what {layer} brings cannot be imported by {sys.executable} ({error})")
        sys.path.remove(layer)
    sys.path.append(layer)
    return layer


def check_packages(layer: str) -> None:
    """What a worker needs must be there, and new enough; ``layer`` brings what the environment lacks."""
    for module, package, least in NEEDS:
        cure = cure_for(f"'{package}>={'.'.join(map(str, least))}'", layer)
        try:
            version = getattr(__import__(module), "__version__", "0")
        except ImportError as error:
            fault(f"{sys.executable} has no usable {package} ({error}); {cure}")
        if numbers(version) < least:
            fault(f"{sys.executable} has {package} {version}, which is too old; {cure}")


def cure_for(requirement: str, layer: str) -> str:
    """The command that brings ``requirement``: by pip only where this interpreter has pip. What Penstock has
    brought is made again by the next run, when it is not there."""
    if layer:
        return f"what was to bring it is broken; say: rm -r {layer}, and start the run again"
    import importlib.util

    if importlib.util.find_spec("pip"):
        return f"say: {sys.executable} -m pip install {requirement}"
    return f"say: uv pip install --python {sys.executable} {requirement}"


def numbers(version: str) -> tuple:  # type: ignore[type-arg]
    """``"0.18.6rc1"`` -> ``(0, 18, 6)``."""
    found = []
    for part in version.split("."):
        digits = ""
        for letter in part:
            if not letter.isdigit():
                break
            digits += letter
        if not digits:
            break
        found.append(int(digits))
    return tuple(found)


def adopt_package() -> None:
    """Make our ``penstock`` importable without its neighbours: they are the supervisor's, for its Python."""
    import importlib.util

    here = os.path.dirname(os.path.abspath(__file__))
    if sys.path and os.path.abspath(sys.path[0] or ".") == here:
        del sys.path[0]
    package = os.path.dirname(here)
    spec = importlib.util.spec_from_file_location(
        "penstock", os.path.join(package, "__init__.py"), submodule_search_locations=[package]
    )
    assert spec is not None, "the package lies where this file lies"
    assert spec.loader is not None
    sys.modules["penstock"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


def debug(wish: str) -> None:
    """``penstock debug``: a worker that nobody has started but whoever looks at it. Does not return."""
    check_interpreter()
    check_packages(put_layer())
    adopt_package()
    from penstock.runtime.guest import debugger

    debugger.main(wish)


def main() -> None:
    """All of it, in order."""
    if sys.argv[1] == "debug":
        debug(sys.argv[2])
    fd, parent = int(sys.argv[1]), int(sys.argv[2])
    die_with(parent)
    os.set_inheritable(fd, False)  # what user code starts shall not keep the line open
    offer_to_oom_killer()
    keep_memory()
    check_interpreter()
    check_packages(put_layer())
    adopt_package()
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(line_buffering=True)  # a log that is read while it is written
    from penstock.runtime.worker import life

    life.main(fd)


if __name__ == "__main__":
    main()
