"""What is there already: an interpreter or a conda environment that somebody else looks after."""

from __future__ import annotations

import os
from collections.abc import Mapping

from penstock.environments import interpreters, prefixes
from penstock.environments.activation import Activation
from penstock.environments.conda import Conda
from penstock.environments.spec import CondaPrefix, Interpreter, placed
from penstock.errors import EnvironmentFault
from penstock.pipeline.nearest import nearest


def python_of(spec: Interpreter | CondaPrefix, environ: Mapping[str, str]) -> str:
    """The path of its interpreter.

    Raises:
        EnvironmentFault: it is not there.
    """
    with placed(spec):
        if isinstance(spec, Interpreter):
            return interpreters.find(spec.path or spec.python, environ)
        return interpreters.located(os.path.join(prefix_of(spec, environ), "bin", "python"))


def asked(spec: Interpreter | CondaPrefix, environ: Mapping[str, str]) -> tuple[str, interpreters.Probe]:
    """The path of its interpreter, and what that says of itself.

    Raises:
        EnvironmentFault: it is not there, is no Python, or none that a worker can run under.
    """
    python = python_of(spec, environ)
    with placed(spec):
        found = interpreters.probe(python, environ)
        interpreters.refuse_unfit(python, found)
    return python, found


def prefix_of(spec: CondaPrefix, environ: Mapping[str, str]) -> str:
    """Where the conda environment is.

    Raises:
        EnvironmentFault: none has that name.
    """
    if spec.path:
        return spec.path
    known = prefixes.by_name(environ)
    if spec.conda_env not in known:
        hint = nearest(spec.conda_env, known) or '; give its path: prefix = "/path/to/it"'
        raise EnvironmentFault(f"there is no conda environment {spec.conda_env!r}{hint}")
    return known[spec.conda_env]


def activation(
    spec: Interpreter | CondaPrefix, python: str, environ: Mapping[str, str], cache: str
) -> Activation:
    """What differs around it, as ``conda activate`` has it, or the ``activate`` of a virtual environment.

    Raises:
        BuildFailed: a script that activates it fails.
    """
    if isinstance(spec, CondaPrefix):
        prefix = prefix_of(spec, environ)
        return Conda(environ, cache).activate(prefix)
    folder = os.path.dirname(python)
    prefix = os.path.dirname(folder)
    is_venv = os.path.exists(os.path.join(prefix, "pyvenv.cfg"))
    return Activation(set={"VIRTUAL_ENV": prefix} if is_venv else {}, path_prepend=[folder])
