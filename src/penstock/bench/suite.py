"""Runs cases: the contenders in turn, again and again, so that a slow minute hits all of them alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from penstock.bench.case import Case
from penstock.bench.result import OURS, Document, Result, Round, results
from penstock.bench.stand import Stand
from penstock.errors import PipelineFailed

Talk = Callable[[str], None]
"""Takes a line for the person who waits."""


def run(cases: Iterable[Case], stand: Stand, talk: Talk) -> Document:
    """Run the cases one after the other. One that cannot be run is told, and counts as missed. Ctrl-C gives
    what there is: of the case that was being run, its whole rounds."""
    found: list[Result] = []
    for case in cases:
        rounds: list[Round] = []
        try:
            for number in range(stand.effort.runs):
                talk(f"{case.name}  run {number + 1} of {stand.effort.runs}")
                rounds.append(one_round(case, stand))
        except KeyboardInterrupt:
            return Document(results=found + (results(case, rounds) if rounds else []), cut=True)
        except PipelineFailed as error:
            talk(f"{case.name}  could not be run: {error}")
            rounds = []
        found += results(case, rounds)
        tell_left_out(case, rounds, talk)
    return Document(results=found)


def tell_left_out(case: Case, rounds: Sequence[Round], talk: Talk) -> None:
    """Of sizes that a narrow road would take too long for."""
    for measure in case.measures if rounds else ():
        if measure.reading not in rounds[0][OURS]:
            talk(f"{case.name}  leaves out {measure.unit} ({measure.peer_name}): it would take too long")


def one_round(case: Case, stand: Stand) -> Round:
    """Ours, then each peer."""
    return {name: runner(stand) for name, runner in {OURS: case.ours, **case.peers}.items()}
