from __future__ import annotations

from penstock.runtime.policy.restart import LONGEST_PAUSE, Record


def died_often(times: int, *, lived: float) -> Record:
    record = Record()
    for _ in range(times):
        record = record.died(lived)
    return record


def test_pauses_double_up_to_a_limit() -> None:
    pauses = [died_often(times, lived=0.0).pause() for times in range(1, 10)]
    assert pauses[:3] == [0.05, 0.1, 0.2]
    assert pauses[-1] == LONGEST_PAUSE


def test_whoever_has_worked_for_a_while_comes_back_at_once() -> None:
    assert died_often(9, lived=1.0).died(5.0).pause() == 0.05


def test_a_crash_loop_uses_up_its_restarts() -> None:
    assert not died_often(3, lived=0.1).spent(3)
    assert died_often(4, lived=0.1).spent(3)


def test_a_crash_an_hour_never_does() -> None:
    record = died_often(100, lived=3600.0)
    assert not record.spent(1)
    assert record.pause() == 0.05
    assert record.total == 100


def test_time_spent_loading_and_waiting_does_not_forgive() -> None:
    # Loads for a minute, dies at its first item: on the wall's clock never twice within the window.
    assert died_often(21, lived=0.0).spent(20)


def test_never_restarting_is_a_choice() -> None:
    assert died_often(1, lived=10.0).spent(0)
