"""The order of runs, and what becomes of a case that cannot be run."""

from __future__ import annotations

from collections.abc import Callable

from penstock.bench import suite
from penstock.bench.case import Case, Measure
from penstock.bench.stand import Effort, Reading, Stand
from penstock.errors import PipelineFailed

Runner = Callable[[Stand], Reading]


def noted(log: list[str], name: str) -> Runner:
    def run(stand: Stand) -> Reading:
        log.append(name)
        return {"rate": float(len(log))}

    return run


def broken(stand: Stand) -> Reading:
    raise PipelineFailed("the peer did not start")


def case(name: str, ours: Runner, **peers: Runner) -> Case:
    return Case(
        name=name,
        about="",
        ours=ours,
        peers=peers,
        measures=tuple(Measure(unit="items/s", peers=(peer,), target=0.1) for peer in peers),
    )


def test_contenders_alternate_so_that_a_slow_minute_hits_all() -> None:
    log: list[str] = []
    one = case("one", noted(log, "ours"), raw=noted(log, "raw"), pickle=noted(log, "pickle"))
    document = suite.run([one], Stand(Effort(runs=2)), lambda line: None)
    assert log == ["ours", "raw", "pickle"] * 2
    assert [result.runs for result in document.results] == [[(1, 2), (4, 5)], [(1, 3), (4, 6)]]


def test_a_case_that_cannot_be_run_does_not_stop_the_others() -> None:
    log: list[str] = []
    told: list[str] = []
    cases = [
        case("first", noted(log, "ours"), raw=broken),
        case("second", noted(log, "ours"), raw=noted(log, "raw")),
    ]
    document = suite.run(cases, Stand(Effort(runs=1)), told.append)
    assert [(result.case, result.met) for result in document.results] == [("first", False), ("second", True)]
    assert not document.met
    assert "first  could not be run: the peer did not start" in told
