"""What ``penstock.toml`` says of environments: ``[envs.NAME]``, and where their lock lies: beside it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple

from penstock.config.configuration import Misconfigured
from penstock.config.file import File, nearest_file
from penstock.environments.lock import FILE
from penstock.environments.spec import Spec, spec_from
from penstock.errors import BadSpec, UserError
from penstock.pipeline.nearest import nearest
from penstock.pipeline.plan import Plan


class Envs(NamedTuple):
    """The environments of a project."""

    folder: str
    """Of the file; of the app, where there is none."""
    specs: dict[str, Spec]

    @property
    def lock(self) -> str:
        """The path of ``penstock.lock``."""
        return os.path.join(self.folder, FILE)

    def chosen(self, names: Iterable[str]) -> list[Spec]:
        """Those of ``names``; all, where none is named.

        Raises:
            UserError: there is none of that name.
        """
        wanted = list(dict.fromkeys(names)) or list(self.specs)
        for name in wanted:
            if name not in self.specs:
                raise UserError(unknown(name, self.specs))
        return [self.specs[name] for name in wanted]


def envs(directory: str) -> Envs:
    """Those that the nearest file upwards from ``directory`` says.

    Raises:
        Misconfigured: with all mistakes there are.
        UserError: the file cannot be read.
    """
    source = nearest_file(directory)
    if source is None:
        return Envs(os.path.abspath(directory), {})
    return Envs(os.path.dirname(source.path), _specs(source))


def unknown(name: str, known: Iterable[str]) -> str:
    """The sentence about an environment that nobody has described."""
    hint = nearest(name, list(known)) or f"; say what it is made from: [envs.{name}]"
    return f"there is no environment {name!r}{hint}"


def _specs(source: File) -> dict[str, Spec]:
    for slip in ("env", "environment", "environments"):
        if slip in source.table:
            raise UserError(f"{source.place(slip)}: there is no key {slip!r}; did you mean 'envs'?")
    table = source.table.get("envs", {})
    if not isinstance(table, dict):
        raise UserError(f"{source.place('envs')}: envs={table!r}: must be tables, like [envs.torch]")
    mistakes: list[str] = []
    found: dict[str, Spec] = {}
    for name, said in table.items():

        def origin(key: str, name: str = name) -> str:
            return str(source.place("envs", name, *([key] if key else [])))

        try:
            found[name] = spec_from(name, said, origin, os.path.dirname(source.path))
        except BadSpec as error:
            mistakes.append(str(error))
    if mistakes:
        raise Misconfigured(mistakes)
    return found


def needed(plan: Plan, known: Envs) -> list[Spec]:
    """The environments of ``known`` that stages of ``plan`` name, each once.

    Raises:
        Misconfigured: there is none of a name; a sentence for each stage.
    """
    mistakes = [
        f"{stage.where}: {stage.name}: {unknown(stage.env, known.specs)}"
        for stage in plan.stages
        if stage.env and stage.env not in known.specs
    ]
    if mistakes:
        raise Misconfigured(mistakes)
    return known.chosen(names) if (names := [stage.env for stage in plan.stages if stage.env]) else []
