"""What a program of another environment must not find around it."""

from __future__ import annotations

from collections.abc import Mapping

_OF_A_PYTHON = {
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "PYTHONUSERBASE",
    "PYTHONPYCACHEPREFIX",
    "PYTHONINSPECT",
    "VIRTUAL_ENV",
    "__PYVENV_LAUNCHER__",
}
_OF_CONDA = ("CONDA_", "_CE_")


def scrubbed(environ: Mapping[str, str]) -> dict[str, str]:
    """``environ`` without what is of this Python or of an environment around it, and wrong for another.

    ``CONDA_OVERRIDE_*`` stays: it says what the machine has, whoever asks.
    """
    return {
        name: value
        for name, value in environ.items()
        if name not in _OF_A_PYTHON and (not name.startswith(_OF_CONDA) or name.startswith("CONDA_OVERRIDE_"))
    }
