"""Runs in the supervisor, before anything is started: the environments that stages name are made ready."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from penstock.pipeline.plan import Plan

if TYPE_CHECKING:
    from penstock.environments.environment import Environment


class Terms(NamedTuple):
    """What may be done for that."""

    offline: bool = False
    """Nothing is taken from the network."""
    frozen: bool = False
    """``penstock.lock`` counts as it is, whatever it was made from has become."""


USUAL_TERMS = Terms()


def provide(
    plan: Plan, folder: str, environ: Mapping[str, str], terms: Terms, say: Callable[[str], None]
) -> dict[str, Environment]:
    """The environments of ``plan``, by name; what is missing is built.

    Args:
        plan: What is to be run.
        folder: Of its app: the nearest ``penstock.toml`` upwards describes them.
        environ: Usually ``os.environ``.
        terms: What may be done.
        say: Takes a line about each step.

    Raises:
        Misconfigured: one is not described, or wrong.
        StaleLock: the lock does not say how to make one; says the cure.
        EnvironmentFault: one cannot be made, or cannot run a worker.
    """
    if not any(stage.env for stage in plan.stages):
        return {}
    # What follows costs start-up time, which most pipelines need not pay.
    from penstock.config.envs import envs, needed
    from penstock.environments import lock, platforms
    from penstock.environments.environment import Provider
    from penstock.environments.progress import Lines
    from penstock.environments.store import Store

    known = envs(folder)
    provider = Provider(
        lock.read(known.lock),
        Store.of(environ),
        folder=known.folder,
        environ=environ,
        platform=platforms.here(),
        offline=terms.offline,
        frozen=terms.frozen,
    )
    return provider.provide(needed(plan, known), lambda name: Lines(name, say))


def later(
    known: dict[str, Environment], folder: str, say: Callable[[str], None]
) -> Callable[[Plan], dict[str, Environment]]:
    """What makes those ready that a stage needs which comes later, and adds them to ``known``."""

    def more(plan: Plan) -> dict[str, Environment]:
        found = provide(plan, folder, os.environ, USUAL_TERMS, say)
        known.update(found)
        return found

    return more


def release(environments: Mapping[str, Environment]) -> None:
    """Nobody uses them any more."""
    for each in environments.values():
        each.release()
