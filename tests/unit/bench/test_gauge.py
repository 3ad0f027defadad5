"""The gauges: what they count, and what they leave out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from penstock.bench.gauge import DelayGauge, RateGauge, percentile
from penstock.bench.trial import Trial


def reading(directory: Path) -> dict[str, float]:
    found: dict[str, float] = json.loads((directory / "reading.json").read_text("utf-8"))
    return found


def ticking(step: float) -> Iterator[float]:
    return (step * number for number in count())


def test_a_rate_leaves_out_the_warm_up(tmp_path: Path) -> None:
    # 100 items a second while it warms up, 1000 a second afterwards; looked at once a second.
    gauge = RateGauge(Trial(directory=str(tmp_path), warm=2, seconds=3), clock=ticking(1.0).__next__)
    looks = [gauge.look(counted) for counted in (1, 101, 201, 1201, 2201, 3201)]
    assert looks == [False] * 5 + [True]
    assert reading(tmp_path) == {"rate": 1000.0}


def test_a_rate_is_reported_once_and_ends_the_sources(tmp_path: Path) -> None:
    trial = Trial(directory=str(tmp_path), warm=0, seconds=1)
    gauge = RateGauge(trial, clock=ticking(1.0).__next__)
    assert not trial.over()
    while not gauge.look(10):
        pass
    assert trial.over()
    (tmp_path / "reading.json").unlink()
    assert gauge.look(20)
    assert not (tmp_path / "reading.json").exists()


def test_a_delay_is_taken_after_the_warm_up_in_microseconds(tmp_path: Path) -> None:
    gauge = DelayGauge(Trial(directory=str(tmp_path), samples=100), clock=lambda: 50_000_000)
    for _ in range(DelayGauge.WARM):
        assert not gauge.add(0)
    finished = [gauge.add(50_000_000 - 1000 * delay) for delay in range(1, 101)]
    assert finished == [False] * 99 + [True]
    assert reading(tmp_path) == {"p50": 51.0, "p99": 100.0}


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1), (0.5, 3), (0.99, 4), (1.0, 4)])
def test_a_percentile_is_one_of_the_values(share: float, expected: int) -> None:
    assert percentile([1, 2, 3, 4], share) == expected


def test_a_trial_reaches_the_process_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial(directory="/somewhere", shape=(1, 2), style="copy", samples=3)
    for name, value in trial.environment().items():
        monkeypatch.setenv(name, value)
    assert Trial.here() == trial


def test_an_app_can_be_tried_without_a_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PENSTOCK_BENCH_TRIAL", raising=False)
    assert Trial.here() == Trial()
