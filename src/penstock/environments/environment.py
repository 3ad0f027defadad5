"""Environments that workers can be started in, and the way there from what is asked for and locked."""

from __future__ import annotations

import hashlib
import json
import os
import queue
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from penstock.environments import existing, known, lock
from penstock.environments.activation import Activation
from penstock.environments.build import build
from penstock.environments.digest import digest
from penstock.environments.interpreters import Probe
from penstock.environments.layer import layer, outdated, use
from penstock.environments.lock import Lock
from penstock.environments.progress import Progress
from penstock.environments.recipe import Recipe, recipe
from penstock.environments.spec import CondaFile, CondaPrefix, Interpreter, Spec, placed
from penstock.environments.store import Store
from penstock.environments.surroundings import scrubbed
from penstock.errors import EnvironmentFault, StaleLock

AT_ONCE = 2
"""Environments made at the same time: they share one disk and one line."""


class Environment(NamedTuple):
    """One that is there."""

    name: str
    key: str
    """The same for the same packages and Python; on this machine, where it is somebody else's."""
    python: str
    """The path of its interpreter, its links as they are."""
    probe: Probe
    activation: Activation
    layer: str
    """The folder with what it lacks of a worker's needs; empty: it lacks nothing."""
    held: tuple[int, ...] = ()
    """While these descriptors are open, nobody removes it or its layer."""

    @property
    def brought(self) -> str:
        """What ``runtime.boot`` is told of its layer: ``zmq:FOLDER``, where its own zmq is too old."""
        return f"{','.join(outdated(self.probe))}:{self.layer}" if self.layer else ""

    def release(self) -> None:
        """It is not used any more."""
        for each in self.held:
            os.close(each)

    def surroundings(self, environ: Mapping[str, str]) -> dict[str, str]:
        """``environ`` as it is for a program that runs in it; the user's own packages are not seen there."""
        return {**self.activation.applied(scrubbed(environ)), "PYTHONNOUSERSITE": "1"}


class Provider:
    """Makes what is missing."""

    def __init__(
        self,
        locks: Lock,
        kept: Store,
        *,
        folder: str,
        environ: Mapping[str, str],
        platform: str,
        offline: bool = False,
        frozen: bool = False,
    ) -> None:
        """Look at nothing yet.

        Args:
            locks: What is locked.
            kept: Where environments are kept.
            folder: Of the project.
            environ: Usually ``os.environ``.
            platform: Of this machine.
            offline: Take nothing from the network.
            frozen: What is locked counts, whatever it was locked from has become.
        """
        self._locks = locks
        self._kept = kept
        self._folder = folder
        self._environ = environ
        self._platform = platform
        self._offline = offline
        self._frozen = frozen

    def provide(self, specs: Sequence[Spec], progress: Callable[[str], Progress]) -> dict[str, Environment]:
        """The environments of ``specs``, by name; those that are not there are made, some at a time.

        Args:
            specs: Which.
            progress: Who is told how far the environment of that name is.

        Raises:
            StaleLock: the lock does not say how to make one of them; says the cure.
            BadSpec: what one is made from is wrong.
            EnvironmentFault: one cannot be made, or cannot run a worker.
        """
        self.refuse_stale(specs)
        found = at_once([partial(self._one, spec, progress(spec.name)) for spec in specs])
        return {each.name: each for each in found}

    def refuse_stale(self, specs: Sequence[Spec]) -> None:
        """See that the lock says how to make them.

        Raises:
            StaleLock: it does not; a sentence for each.
            BadSpec: what one is made from is wrong.
        """
        sentences = [sentence for spec in specs if (sentence := self.stale(spec))]
        if sentences:
            raise StaleLock("\n".join(sentences))

    def stale(self, spec: Spec) -> str:
        """Why the lock does not say how to make it, and the cure; empty: it does.

        Raises:
            BadSpec: what it is made from is wrong.
        """
        if isinstance(spec, (Interpreter, CondaPrefix)):
            return ""
        locked = self._locks.envs.get(spec.name)
        now = locked.digest if locked and self._frozen else digest(spec)
        return lock.stale(spec.name, now, locked, self._platform)

    def recipe(self, spec: Spec) -> Recipe:
        """How it is made here, where the lock says it.

        Raises:
            EnvironmentFault: its Python is not here.
        """
        locked = self._locks.envs[spec.name]
        pins = locked.pins(self._platform)
        assert pins is not None, "the lock is not stale"
        folder = spec.path if os.path.isdir(spec.path) else os.path.dirname(spec.path)
        if pins.conda:
            file = spec.path if isinstance(spec, CondaFile) else ""
            return recipe(locked, pins, platform=self._platform, folder=folder, file=file)
        request = self._request(spec, locked.python)
        base, found = known.python(request, self._environ, self._kept.pythons)
        if found.minor != locked.python:
            raise EnvironmentFault(
                f"{spec.origin}: {base} is Python {found.version}, and envs.{spec.name} is locked for"
                f" {locked.python}; {lock.CURE_ONE.format(spec.name)}"
            )
        return recipe(locked, pins, platform=self._platform, folder=folder, base=base, found=found)

    def _request(self, spec: Spec, version: str) -> str:
        """A path, or a version to its last number, where one is said; else the version it is locked for, and
        of that what is asked for: ``>=3.10.5`` is no 3.10.4."""
        said: str = getattr(spec, "python", "")
        if os.sep in said or re.fullmatch(r"\d+\.\d+\.\d+", said):
            return said
        return f"{said},=={version}.*" if said and not said[0].isdigit() else version

    # -------------------------------------------------------------------------------------------- one

    def _one(self, spec: Spec, progress: Progress) -> Environment:
        with placed(spec):
            return self._whole(spec, progress)

    def _whole(self, spec: Spec, progress: Progress) -> Environment:
        if isinstance(spec, (Interpreter, CondaPrefix)):
            found = self._existing(spec)
        else:
            found = self._made(spec, progress)
        while True:
            brought = layer(
                self._kept, found.python, found.probe, environ=self._environ, offline=self._offline
            )
            if not brought:
                return found
            held = use(brought)
            if held is not None:
                return found._replace(layer=brought, held=(*found.held, held))

    def _made(self, spec: Spec, progress: Progress) -> Environment:
        wanted = self.recipe(spec)
        self._refuse_changed(wanted.key, spec, progress)
        while True:
            held = self._kept.use(wanted.key, folder=self._folder, name=spec.name)
            built = build(wanted, self._kept, environ=self._environ, offline=self._offline, progress=progress)
            if held is not None:
                break
        marker = built.marker
        return Environment(spec.name, wanted.key, built.python, marker.probe, marker.activation, "", (held,))

    def _refuse_changed(self, key: str, spec: Spec, progress: Progress) -> None:
        """One that somebody has installed something into is not what is locked, and is built anew.

        Raises:
            EnvironmentFault: it is in use.
        """
        marker = self._kept.marker(key)
        changed = marker.changed() if marker else []
        if not changed:
            return
        told = ", ".join(changed[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")
        if not self._kept.remove(key):
            raise EnvironmentFault(
                f"{spec.origin}: the environment {spec.name!r} was changed since it was built ({told}), and"
                " is in use; it is built anew when nobody uses it"
            )
        progress.note(f"was changed since it was built ({told}), and is built anew as it is locked")

    def _existing(self, spec: Interpreter | CondaPrefix) -> Environment:
        python, found = existing.asked(spec, self._environ)
        content = json.dumps([found.prefix, found.base, found.version, found.soabi])
        key = hashlib.sha256(content.encode()).hexdigest()[:16]
        around = existing.activation(spec, python, self._environ, self._kept.conda)
        return Environment(spec.name, key, python, found, around, "")


def at_once(work: Sequence[Callable[[], Environment]]) -> list[Environment]:
    """What all of ``work`` gives, in its order; some of it is done at a time.

    In threads that keep nobody: who presses Ctrl-C need not wait for a channel. What they were making is no
    environment without its marker, and what they had started ends or keeps its lock.
    """
    done: queue.SimpleQueue[tuple[int, Environment | BaseException]] = queue.SimpleQueue()
    room = threading.Semaphore(AT_ONCE)

    def do(number: int, job: Callable[[], Environment]) -> None:
        with room:
            try:
                done.put((number, job()))
            except BaseException as error:  # noqa: BLE001  raised where it is waited for
                done.put((number, error))

    for number, job in enumerate(work):
        threading.Thread(target=do, args=(number, job), name=f"environment-{number}", daemon=True).start()
    found: dict[int, Environment] = {}
    while len(found) < len(work):
        number, result = done.get()
        if isinstance(result, BaseException):
            raise result
        found[number] = result
    return [found[number] for number in range(len(work))]
