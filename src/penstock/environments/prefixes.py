"""The conda environments of this machine: those that conda would find by their names, in its order."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Mapping

from penstock.environments import yamlfile
from penstock.errors import BadSpec

_INSTALLATIONS = ("miniforge3", "mambaforge", "miniconda3", "anaconda3", "micromamba")
"""Where people have conda, below their home."""


def by_name(environ: Mapping[str, str]) -> dict[str, str]:
    """Their paths; of several of one name the first that conda would take. ``base``: the root of all."""
    found: dict[str, str] = {}
    for root in _roots(environ):
        if _is_environment(root):
            found.setdefault("base", root)
    for prefix in _prefixes(environ):
        if _is_environment(prefix):
            found.setdefault(os.path.basename(prefix), prefix)
    return found


def _prefixes(environ: Mapping[str, str]) -> Iterator[str]:
    for folder in _folders(environ):
        yield from sorted(glob.glob(os.path.join(glob.escape(folder), "*")))
    try:  # what conda has made anywhere else
        with open(os.path.join(_home(environ), ".conda", "environments.txt"), encoding="utf-8") as file:
            yield from (line.strip().rstrip("/") for line in file if line.strip())
    except (OSError, UnicodeDecodeError):
        pass


def _folders(environ: Mapping[str, str]) -> Iterator[str]:
    """Those that environments lie in."""
    for name in ("CONDA_ENVS_DIRS", "CONDA_ENVS_PATH"):
        yield from filter(None, environ.get(name, "").split(os.pathsep))
    yield from _configured(environ.get("CONDARC") or os.path.join(_home(environ), ".condarc"), environ)
    yield from (os.path.join(root, "envs") for root in _roots(environ))
    yield os.path.join(_home(environ), ".conda", "envs")


def _roots(environ: Mapping[str, str]) -> Iterator[str]:
    """Of installations."""
    if environ.get("CONDA_EXE"):
        yield os.path.dirname(os.path.dirname(environ["CONDA_EXE"]))
    for name in ("MAMBA_ROOT_PREFIX", "CONDA_ROOT"):
        if environ.get(name):
            yield environ[name]
    yield from (os.path.join(_home(environ), each) for each in _INSTALLATIONS)


def _configured(condarc: str, environ: Mapping[str, str]) -> list[str]:
    """``envs_dirs`` of conda's own configuration; what is wrong with that is conda's to say."""
    try:
        for key, _, value in yamlfile.read(condarc, condarc).pairs(""):
            if key in {"envs_dirs", "envs_path"}:
                listed = [each.text("") for each in value.items("")]
                return [_home(environ) + each[1:] if each[:1] == "~" else each for each in listed]
    except BadSpec:
        pass
    return []


def _home(environ: Mapping[str, str]) -> str:
    return environ.get("HOME") or os.path.expanduser("~")


def _is_environment(prefix: str) -> bool:
    return os.path.isdir(os.path.join(prefix, "conda-meta"))
