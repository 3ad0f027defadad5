"""Runs in the worker, first of all: the stage's own interpreter executes this file, whatever version it is.

    <interpreter> -s -X faulthandler boot.py <control fd> <pid of the supervisor>

It ties the worker's life to its supervisor's, sees that this interpreter can run a worker at all, makes the
very ``penstock`` that this file belongs to importable (and nothing else of the supervisor's environment),
and hands over to ``worker.main``. Only the standard library is at hand here. The syntax must be readable
by any Python 3, or an old one could not even say that it is too old.
"""

import os
import sys

FAULT = 78
"""Exit code where this interpreter cannot run a worker; ``death.BOOT_FAULT`` for the supervisor."""
OLDEST = (3, 9)
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
        os._exit(0)  # it ended before we asked


def offer_to_oom_killer() -> None:
    """When memory runs out one worker shall die, which is mended, and not the supervisor, which is not."""
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("500")
    except OSError:
        pass


def check_interpreter() -> None:
    """This must be a CPython that is new enough."""
    name, version = sys.implementation.name, sys.version.split()[0]
    if name != "cpython" or sys.version_info < OLDEST:
        fault("%s is %s %s; stages need CPython %d.%d or newer" % ((sys.executable, name, version) + OLDEST))


def check_packages() -> None:
    """pyzmq and msgspec must be there, and new enough."""
    for module, package, least in NEEDS:
        need = "%s>=%s" % (package, ".".join(map(str, least)))
        try:
            version = getattr(__import__(module), "__version__", "0")
        except ImportError as error:
            fault("%s has no usable %s (%s); install it there: %s" % (sys.executable, package, error, pip(need)))
        if numbers(version) < least:
            fault("%s has %s %s, which is too old; update it there: %s" % (sys.executable, package, version, pip(need)))


def pip(need: str) -> str:
    """The command that installs ``need`` here."""
    return "%s -m pip install '%s'" % (sys.executable, need)


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
    assert spec is not None and spec.loader is not None
    sys.modules["penstock"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


def main() -> None:
    """All of it, in order."""
    fd, parent = int(sys.argv[1]), int(sys.argv[2])
    die_with(parent)
    os.set_inheritable(fd, False)  # what user code starts shall not keep the line open
    offer_to_oom_killer()
    check_interpreter()
    check_packages()
    adopt_package()
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(line_buffering=True)  # a log that is read while it is written
    from penstock.runtime import worker

    worker.main(fd)


if __name__ == "__main__":
    main()
