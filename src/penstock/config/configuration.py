"""All that is said about a pipeline outside its code, as one: later layers over earlier ones.

    command line  >  PENSTOCK_*  >  profile  >  file  >  decorator  >  default

Everything that is wrong is told at once: who has three mistakes in a file shall not start three times.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from penstock.config import entry, file
from penstock.config.entry import Entry, Path
from penstock.config.file import File, nearest_file
from penstock.errors import UserError
from penstock.pipeline.nearest import nearest
from penstock.pipeline.overlay import Overlay
from penstock.pipeline.pipeline import Pipeline
from penstock.pipeline.plan import Plan
from penstock.pipeline.secret import Secret
from penstock.pipeline.stage import Node

PROFILE = "PENSTOCK_PROFILE"
CODE_ONLY = {
    "name": "a name is chosen in the code, where wires refer to it",
    "ports": "ports are declared in the code, where they are wired on",
}


class Misconfigured(UserError):
    """What is said outside the code is wrong; a sentence for each mistake."""

    def __init__(self, sentences: Sequence[str]) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = tuple(sentences)


class Configuration(NamedTuple):
    """What counts."""

    overlays: dict[str, Overlay]
    """By stage."""
    config: dict[str, Any]
    """The user's own settings, with ``Secret``s in it."""
    counting: dict[Path, Entry]
    """Of all that was said, what counts, by its path: ``("config", "threshold")``."""


def configured(
    pipeline: Pipeline, environ: Mapping[str, str], *, flags: Sequence[str] = (), profile: str | None = None
) -> Plan:
    """The plan of ``pipeline`` with what its file, ``environ`` and ``flags`` say.

    Args:
        pipeline: As the code has it.
        environ: Usually ``os.environ``.
        flags: Texts like ``detect.replicas=2``.
        profile: Which one counts; by default what ``PENSTOCK_PROFILE`` says, or none.

    Raises:
        Misconfigured: with all mistakes there are.
        WiringError: knobs that do not go together, or wrong wires.
    """
    found = configuration(pipeline, environ, flags=flags, profile=profile)
    plan = pipeline.plan(found.overlays, found.config)
    if any(stage.env for stage in plan.stages):
        from penstock.config.envs import envs, needed  # costs start-up time, which most need not pay

        needed(plan, envs(os.path.dirname(os.path.abspath(pipeline.file))))
    return plan


def configuration(
    pipeline: Pipeline, environ: Mapping[str, str], *, flags: Sequence[str] = (), profile: str | None = None
) -> Configuration:
    """What counts for ``pipeline``; arguments and errors as for ``configured``."""
    mistakes: list[str] = []
    entries, idle = _said(pipeline, environ, flags, profile or environ.get(PROFILE) or None, mistakes)
    declared = {node.name: node for node in pipeline.nodes}
    for each in [*entries, *idle]:
        mistakes += _mistakes(each, declared)
    if mistakes:
        raise Misconfigured(list(dict.fromkeys(mistakes)))
    counting = merged([each for each in entries if each.path[0] == "config" or len(each.path) > 2])
    settings = [each for path, each in counting.items() if path[0] == "config"]
    overlays = {node.name: _overlay(node, _of_stage(counting, node.name)) for node in pipeline.nodes}
    return Configuration(overlays, nested(settings), counting)


def _said(
    pipeline: Pipeline,
    environ: Mapping[str, str],
    flags: Sequence[str],
    profile: str | None,
    mistakes: list[str],
) -> tuple[list[Entry], list[Entry]]:
    """All entries, the weakest first; and those of the profiles that do not count."""
    source = None
    said: list[Entry] = []
    idle: list[Entry] = []
    try:
        source = nearest_file(os.path.dirname(os.path.abspath(pipeline.file)))
        _refuse_profile(source, profile)
    except UserError as error:
        mistakes.append(str(error))
    if source is not None:
        said, idle = file.entries(source, profile, mistakes)
    settings = [each.path for each in said if each.path[0] == "config"]
    stages = [node.name for node in pipeline.nodes]
    said += entry.from_variables(environ, stages, settings, mistakes)
    said += entry.from_flags(flags, mistakes)
    return said, idle


def _refuse_profile(source: File | None, profile: str | None) -> None:
    if profile is None or (source is not None and profile in source.profiles):
        return
    where = f"{source.place('profile')}: " if source else ""
    hint = nearest(profile, source.profiles) if source else ""
    hint = hint or f"; it would be a table [profile.{profile}] in penstock.toml"
    raise UserError(f"{where}there is no profile {profile!r}{hint}")


# ------------------------------------------------------------------------------------------- what is wrong


def _mistakes(each: Entry, declared: Mapping[str, Node[Any, Any]]) -> list[str]:
    """The sentence about one entry, if something is wrong with it."""
    if each.path[0] == "config":
        wrong = _unfit(each.value)
        return [f"{each.place}: {'.'.join(each.path)}={each.value!r}: {wrong}"] if wrong else []
    _, stage, *rest = each.path
    if stage not in declared:
        return [f"{each.place}: there is no stage {stage!r}{nearest(stage, declared)}"]
    try:
        if rest:
            _checked(declared[stage], rest, each)
    except ValueError as error:
        return [f"{each.place}: {stage}: {error}"]
    return []


def _unfit(value: Any) -> str:
    """Why a setting could not travel to the stages; empty: it can."""
    if isinstance(value, list):
        return next((wrong for each in value if (wrong := _unfit(each))), "")
    if isinstance(value, dict):
        return _unfit(list(value.values()))
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return "is too large a number; write it as text"
    if not isinstance(value, (bool, int, float, str, Secret)):
        return "dates and times are not given to stages; write it as text"
    return ""


def _checked(node: Node[Any, Any], rest: Sequence[str], each: Entry) -> Any:
    """The value of a knob as it is kept.

    Raises:
        ValueError: it cannot be.
    """
    knob, *inner = rest
    if knob in CODE_ONLY:
        raise ValueError(f"{knob}={each.value!r}: {CODE_ONLY[knob]}")
    if isinstance(each.value, Secret):
        return node.check(knob, {inner[0]: ""}, each.place)
    return node.check(knob, {inner[0]: each.value} if inner else each.value, each.place)


# ------------------------------------------------------------------------------------------ what counts


def merged(entries: Sequence[Entry]) -> dict[Path, Entry]:
    """What counts of ``entries``, the last word about each path; a value and a table displace each other."""
    counting: dict[Path, Entry] = {}
    for each in entries:
        for known in [path for path in counting if path != each.path and _overlap(path, each.path)]:
            del counting[known]
        counting[each.path] = each
    return counting


def _overlap(one: Path, other: Path) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def nested(entries: Sequence[Entry]) -> dict[str, Any]:
    """Entries as the tables they are leaves of, without the first step of their paths."""
    table: dict[str, Any] = {}
    for each in entries:
        place = table
        for step in each.path[1:-1]:
            place = place.setdefault(step, {})
        place[each.path[-1]] = each.value
    return table


def _of_stage(counting: Mapping[Path, Entry], stage: str) -> list[Entry]:
    return [each for path, each in counting.items() if path[0] == "stages" and path[1] == stage]


def _overlay(node: Node[Any, Any], entries: Sequence[Entry]) -> Overlay:
    """What is said of one stage; to the variables of its decorator others are added."""
    found = Overlay({}, {}, {}, {})
    mine = dict(node.options.variables)
    for each in entries:
        _, _, *rest = each.path
        found.places[rest[0]] = each.place
        if len(rest) == 1:
            kept = found.arguments if rest[0] in node.arguments else found.values
            kept[rest[0]] = _checked(node, rest, each)
        elif isinstance(each.value, Secret):
            mine.pop(rest[1], None)
            found.secrets[rest[1]] = each.value
        else:
            mine[rest[1]] = each.value
    if mine != node.options.variables:
        found.values["variables"] = mine
    return found
