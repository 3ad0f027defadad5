"""How a case is judged, and the document that says so."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from penstock.bench.case import Case, Measure
from penstock.bench.result import OURS, Document, Result, Round, decode, encode, results
from penstock.bench.stand import Reading, Stand
from penstock.errors import UserError


def never(stand: Stand) -> Reading:
    raise AssertionError("judging runs nothing")


def case(*measures: Measure) -> Case:
    return Case(name="some-case", about="", ours=never, measures=measures)


def rounds(**rates: Sequence[float]) -> list[Round]:
    names = list(rates)
    return [
        {name: {"rate": rate} for name, rate in zip(names, row, strict=True)}
        for row in zip(*rates.values(), strict=True)
    ]


def only(found: list[Result]) -> Result:
    (result,) = found
    return result


def test_medians_are_compared_not_the_best_runs() -> None:
    measure = Measure(unit="items/s", peers=("raw",), target=2.0)
    result = only(results(case(measure), rounds(**{OURS: [10, 200, 30], "raw": [10, 10, 99]})))
    assert (result.ours, result.peer, result.ratio) == (30, 10, 3)
    assert result.met
    assert result.runs == [(10, 10), (200, 10), (30, 99)]


def test_less_is_better_for_a_delay() -> None:
    measure = Measure(unit="us", better="less", peers=("raw",), target=1 / 1.3)
    met = only(results(case(measure), rounds(**{OURS: [129], "raw": [100]})))
    missed = only(results(case(measure), rounds(**{OURS: [131], "raw": [100]})))
    assert met.met
    assert not missed.met
    assert missed.ratio == pytest.approx(100 / 131, abs=1e-4)


@pytest.mark.parametrize(("better", "ours", "ratio"), [("more", 12_000, 1.2), ("less", 5_000, 2.0)])
def test_without_a_peer_the_target_is_the_yardstick(better: str, ours: float, ratio: float) -> None:
    measure = Measure(unit="batches/s", better="more" if better == "more" else "less", target=10_000)
    result = only(results(case(measure), rounds(**{OURS: [ours]})))
    assert result.ratio == pytest.approx(ratio)
    assert result.met
    assert (result.peer, result.peer_name, result.runs) == (None, None, [(ours, None)])


def test_of_several_peers_the_best_counts() -> None:
    more = Measure(unit="arrays/s", peers=("copy", "no copy"), target=1.2)
    less = Measure(unit="us", peers=("copy", "no copy"), better="less", target=1.2)
    runs = rounds(**{OURS: [50, 50], "copy": [10, 10], "no copy": [20, 20]})
    assert [result.peer for result in results(case(more, less), runs)] == [20, 10]


def test_the_name_of_the_best_peer_does_not_change_with_who_was_best() -> None:
    measure = Measure(unit="arrays/s", peers=("copy", "no copy"), target=1.2)
    names = {
        only(results(case(measure), rounds(**{OURS: [50], "copy": [copy], "no copy": [10]}))).peer_name
        for copy in (1, 99)
    }
    assert names == {"the best of copy, no copy"}


def test_a_case_has_one_entry_per_peer() -> None:
    measures = [Measure(unit="arrays/s", peers=(name,), target=2) for name in ("pickle", "no copy")]
    found = results(case(*measures), rounds(**{OURS: [50], "pickle": [1], "no copy": [40]}))
    assert [(entry.peer_name, entry.met) for entry in found] == [("pickle", True), ("no copy", False)]


def test_a_case_that_could_not_be_run_is_missed() -> None:
    result = only(results(case(Measure(unit="s", target=1.0)), []))
    assert (result.ours, result.ratio, result.met, result.runs) == (None, None, False, [])


def test_the_document_has_exactly_the_promised_shape() -> None:
    document = Document(
        results=results(
            case(Measure(unit="items/s", peers=("raw",), target=2.0)), rounds(**{OURS: [3], "raw": [1]})
        )
    )
    assert json.loads(encode(document)) == {
        "schema": "penstock.bench/1",
        "results": [
            {
                "case": "some-case",
                "unit": "items/s",
                "ours": 3.0,
                "peer": 1.0,
                "peer_name": "raw",
                "ratio": 3.0,
                "target": 2.0,
                "met": True,
                "runs": [[3.0, 1.0]],
                "beside": {},
                "steps": None,
            }
        ],
        "cut": False,
    }
    assert decode(encode(document).encode(), "old.json") == document


@pytest.mark.parametrize(
    "text", [b"", b"[]", b'{"schema": "penstock.bench/2", "results": []}', b'{"results": [1]}']
)
def test_a_file_that_is_no_result_is_refused_by_name(text: bytes) -> None:
    with pytest.raises(UserError, match=r"^old\.json: not a result of `penstock bench --json`"):
        decode(text, "old.json")


def test_what_is_told_beside_a_rate_has_its_own_medians() -> None:
    measure = Measure(unit="items/s", peers=("raw",), target=1.0, beside=("MB",))
    many = [
        {name: {"rate": 1.0, "rate MB": size * factor} for name, factor in ((OURS, 1), ("raw", 2))}
        for size in (1.0, 50.0, 3.0)
    ]
    assert only(results(case(measure), many)).beside == {"MB": (3.0, 6.0)}


def test_the_steps_of_a_ramp_are_those_of_the_first_run() -> None:
    measure = Measure(unit="items/s", peers=("raw",), target=1.0, steps="steps")
    many = [
        {name: {"rate": 1.0, "steps": [{"load": load}]} for name in (OURS, "raw")}
        for load in (2000.0, 3000.0)
    ]
    assert only(results(case(measure), many)).steps == ([{"load": 2000.0}], [{"load": 2000.0}])


def test_what_was_left_out_by_all_is_no_entry() -> None:
    measures = [Measure(unit=unit, reading=unit, peers=("raw",), target=1.0) for unit in ("rate", "40 MB")]
    assert len(results(case(*measures), rounds(**{OURS: [3], "raw": [1]}))) == 1
