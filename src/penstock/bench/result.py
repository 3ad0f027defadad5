"""What came out: one entry per case and peer, and the document they make.

    {"schema": "penstock.bench/1",
     "results": [{"case", "unit", "ours", "peer", "peer_name", "ratio", "target", "met", "runs"}, ...]}

``ours`` and ``peer`` are medians of alternating runs, ``runs`` the raw pairs in the order they were run.
``ratio`` above 1 is always better for us: ours / peer where more is better, peer / ours where less is.
Beside a peer ``target`` is the least ratio (a delay of at most 1.3 times the peer's is a ratio of at
least 1 / 1.3). Without one ``peer`` and ``peer_name`` are null, ``target`` is a number in ``unit``, and
``ratio`` says how many times better than that we are. A case that could not be run has null numbers.
``beside`` has what else was measured, medians by name: ours and the peer's (``us CPU`` a message and ``MB``
of both ends together, delays as ``us p99``). ``steps`` are those of a ramp, ours and the peer's of the first
run: at each ``load`` (messages/s) the same names. ``cut`` says that somebody did not wait for the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Literal

import msgspec

from penstock.bench.case import Case, Measure
from penstock.bench.stand import Reading
from penstock.errors import UserError

OURS = "penstock"
"""Our name among the contenders of a round."""

Step = dict[str, float]
Round = Mapping[str, Reading]
"""One run of each contender, one after the other, by name."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the document."""

    case: str
    unit: str
    ours: float | None
    peer: float | None
    peer_name: str | None
    ratio: float | None
    target: float
    met: bool
    runs: list[tuple[float, float | None]]
    beside: dict[str, tuple[float, float | None]] = {}
    steps: tuple[list[Step], list[Step]] | None = None


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """What ``penstock bench --json`` prints."""

    schema: Literal["penstock.bench/1"] = "penstock.bench/1"
    results: list[Result]
    cut: bool = False

    @property
    def met(self) -> bool:
        """Whether every target was met."""
        return all(result.met for result in self.results)


def encode(document: Document) -> str:
    """The document as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()


def decode(text: bytes, where: str) -> Document:
    """The document in a file of that name.

    Raises:
        UserError: it is none.
    """
    try:
        return msgspec.json.decode(text, type=Document)
    except msgspec.MsgspecError as error:
        raise UserError(f"{where}: not a result of `penstock bench --json`: {error}") from None


def results(case: Case, rounds: Sequence[Round]) -> list[Result]:
    """Judge a case; without rounds (it could not be run) nothing is met."""
    told = [measure for measure in case.measures if not rounds or measure.reading in rounds[0][OURS]]
    return [_result(case, measure, rounds) for measure in told]


def _result(case: Case, measure: Measure, rounds: Sequence[Round]) -> Result:
    if not rounds:
        return _missing(case, measure)
    ours = [each[OURS][measure.reading] for each in rounds]
    name = _best_peer(measure, rounds)
    theirs = [each[name][measure.reading] for each in rounds] if name else []
    middle, yardstick = median(ours), median(theirs) if theirs else measure.target
    ratio = middle / yardstick if measure.better == "more" else yardstick / middle
    return Result(
        case=case.name,
        unit=measure.unit,
        ours=_short(middle),
        peer=_short(yardstick) if name else None,
        peer_name=measure.peer_name,
        ratio=_short(ratio),
        target=_short(measure.target),
        met=ratio >= (measure.target if name else 1.0),
        runs=[(_short(mine), _short(theirs[at]) if theirs else None) for at, mine in enumerate(ours)],
        beside={each: _beside(f"{measure.reading} {each}", rounds, name) for each in measure.beside},
        steps=_steps(measure.steps, rounds[0], name) if measure.steps and name else None,
    )


def _beside(reading: str, rounds: Sequence[Round], peer: str | None) -> tuple[float, float | None]:
    mine, theirs = (median(each[name][reading] for each in rounds) if name else None for name in (OURS, peer))
    assert mine is not None
    return _short(mine), None if theirs is None else _short(theirs)


def _steps(reading: str, first: Round, peer: str) -> tuple[list[Step], list[Step]]:
    mine, theirs = (
        [{key: _short(value) for key, value in step.items()} for step in first[name][reading]]
        for name in (OURS, peer)
    )
    return mine, theirs


def _best_peer(measure: Measure, rounds: Sequence[Round]) -> str | None:
    """Of several peers the one that is hardest to beat."""
    if not measure.peers:
        return None
    choose = max if measure.better == "more" else min
    return choose(measure.peers, key=lambda peer: median(each[peer][measure.reading] for each in rounds))


def _missing(case: Case, measure: Measure) -> Result:
    return Result(
        case=case.name,
        unit=measure.unit,
        ours=None,
        peer=None,
        peer_name=measure.peer_name,
        ratio=None,
        target=_short(measure.target),
        met=False,
        runs=[],
    )


def _short(number: float) -> float:
    """Five digits: no measurement here is good to more."""
    return float(f"{number:.5g}")
