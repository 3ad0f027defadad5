"""Making one environment from its recipe, once for all who want it, whole or not at all.

    take the lock -> is it there by now? -> remove what a death has left -> conda's packages, or a virtual
    environment -> what uv installs -> does it go together? -> compile -> ask it what it is -> its activation
    -> nothing is written there any more -> the marker

Whatever is started on the way holds the lock, too: where we are killed, nobody begins anew in this folder
before that has ended.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from packaging.utils import canonicalize_name

from penstock import lockfile
from penstock.environments import condafile, interpreters, store
from penstock.environments.activation import Activation
from penstock.environments.channels import Channel, channel
from penstock.environments.conda import Conda
from penstock.environments.progress import Progress
from penstock.environments.recipe import Recipe
from penstock.environments.store import Marker, Store
from penstock.environments.surroundings import scrubbed
from penstock.environments.uv import Uv
from penstock.errors import BuildFailed

CHECKED = ("conda", "requirements")
"""Kinds whose packages must go together. Those of a project or a lock file are what another tool let pass: it
may have been told to override what packages ask for."""


class Built(NamedTuple):
    """An environment that is there."""

    prefix: str
    marker: Marker

    @property
    def python(self) -> str:
        """The path of its interpreter."""
        return os.path.join(self.prefix, "bin", "python")


def build(
    recipe: Recipe, kept: Store, *, environ: Mapping[str, str], offline: bool, progress: Progress
) -> Built:
    """The environment of ``recipe``, made if it is not there.

    Args:
        recipe: What it is.
        kept: Where it is kept.
        environ: Usually ``os.environ``.
        offline: Take nothing from the network.
        progress: Who is told how far it is.

    Raises:
        BuildFailed: it cannot be made; nothing of it is left.
        SourceAway: ... now.
    """
    found = kept.marker(recipe.key)
    if found is None:
        held = _turn(kept, recipe.key, progress)
        try:
            found = (
                kept.marker(recipe.key)
                or _Work(recipe, kept, environ, progress, held, offline=offline).done()
            )
        finally:
            lockfile.give_back(held)  # what an activation script has left running has it, too
    return Built(found.probe.prefix, found)  # as it was made: what is in it says that path, too


def _turn(kept: Store, key: str, progress: Progress) -> int:
    """The lock, as soon as nobody else has it."""
    try:
        return kept.build_lock(key, wait=False)
    except BlockingIOError:
        progress.phase("waiting for who makes it")
        return kept.build_lock(key)


class _Work:
    """Of one build; the lock is held."""

    def __init__(
        self,
        recipe: Recipe,
        kept: Store,
        environ: Mapping[str, str],
        progress: Progress,
        held: int,
        *,
        offline: bool,
    ) -> None:
        self._recipe = recipe
        self._kept = kept
        self._environ = environ
        self._offline = offline
        self._progress = progress
        self._holding = (held,)
        self._uv = Uv(environ, offline=offline, holding=self._holding)
        self._conda = Conda(environ, kept.conda, offline=offline, holding=self._holding, progress=progress)
        self._prefix = kept.prefix(recipe.key)
        self._python = os.path.join(self._prefix, "bin", "python")
        self._seconds: dict[str, float] = {}

    def done(self) -> Marker:
        """All of it."""
        self._kept.clear(self._recipe.key)
        try:
            with self._phase("packages" if self._recipe.conda else "python"):
                self._base()
            with self._phase("installing"):
                self._install()
            with self._phase("compiling"):
                self._compile()
            with self._phase("checking"):
                marker = self._marker()
            self._kept.protect(self._recipe.key)
            self._kept.mark(marker)
        except OSError as error:
            self._kept.clear(self._recipe.key)
            raise store.unwritable(self._kept.root, error) from None
        except BaseException:
            self._kept.clear(self._recipe.key)
            raise
        return marker

    @contextlib.contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        self._progress.phase(name)
        began = time.monotonic()
        yield
        self._seconds[name] = round(time.monotonic() - began, 3)

    def _base(self) -> None:
        wanted = self._recipe
        if not wanted.conda:
            self._uv.venv(wanted.base, self._prefix)
            return
        sources = sources_of(wanted, self._environ)
        self._conda.install(wanted.conda, sources, self._prefix)

    def _install(self) -> None:
        if self._recipe.pip.strip():
            folder = self._recipe.folder  # in an image it need not be there, where nothing is taken from it
            there = folder if os.path.isdir(folder) else None
            self._uv.install(self._python, self._recipe.pip, folder=there)

    def _compile(self) -> None:
        """Once here, and not in each worker that is the first to import something. What cannot be compiled
        (templates, code for another Python) is nobody's fault."""
        subprocess.run(
            [self._python, "-s", "-m", "compileall", "-q", "-j", "0", os.path.join(self._prefix, "lib")],
            env=scrubbed(self._environ),
            pass_fds=self._holding,
            capture_output=True,
            check=False,
        )

    def _marker(self) -> Marker:
        found = interpreters.probe(self._python, self._environ)
        interpreters.refuse_unfit(self._python, found)
        if self._recipe.pip and self._recipe.kind in CHECKED:
            refuse_conflicts(self._uv.conflicts(self._python), self._recipe.pip)
        return Marker(
            key=self._recipe.key,
            kind=self._recipe.kind,
            probe=found,
            activation=self._activation(),
            seconds=self._seconds,
            bytes=store.size(self._prefix),
            created=time.time(),
            content=store.content(found.purelib),
        )

    def _activation(self) -> Activation:
        if self._recipe.conda:
            return self._conda.activate(self._prefix).setting(self._recipe.variables)
        return of_venv(self._prefix)


def sources_of(recipe: Recipe, environ: Mapping[str, str]) -> list[Channel]:
    """What its channels are, here and now.

    Raises:
        BuildFailed: a variable that one names is not set.
    """
    try:
        known = [channel(name, recipe.folder, environ) for name in recipe.channels]
    except ValueError as error:
        raise BuildFailed(str(error)) from None
    if os.path.exists(recipe.file):
        known += condafile.read(recipe.file, recipe.file).sources(environ)
    return list({each.name: each for each in known}.values())


def of_venv(prefix: str) -> Activation:
    """What activating a virtual environment changes."""
    return Activation(set={"VIRTUAL_ENV": prefix}, path_prepend=[os.path.join(prefix, "bin")])


def refuse_conflicts(sentences: list[str], pip: str) -> None:
    """Packages of conda's may say what they like of each other; those that uv has installed must be content.

    Raises:
        BuildFailed: one is not.
    """
    ours = {canonicalize_name(name) for name in re.findall(r"^([\w.-]+)", pip, re.MULTILINE)}
    for sentence in sentences:
        named = {canonicalize_name(name) for name in re.findall(r"`([\w.-]+)", sentence)}
        if named & ours:
            raise BuildFailed(f"what is locked does not go together: {sentence}")
