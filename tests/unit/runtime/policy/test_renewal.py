"""A restart that was asked for: who comes and who goes, in which order, and what deaths make of it."""

from __future__ import annotations

import pytest

from penstock.observe import events
from penstock.runtime.policy import action, stimulus
from penstock.runtime.policy.action import Action
from penstock.runtime.policy.death import Death
from penstock.runtime.policy.renewal import refusal, wanted
from penstock.runtime.policy.roster import Goal
from tests.unit.runtime.policy.test_policy import MAKE, SAVE, WORK, Run, reported, told

BROKEN = Death(exit=1)


def ready(**rules: object) -> Run:
    run = Run(**rules)
    run.ready()
    return run


def spawned(actions: list[Action]) -> list[tuple[int, str, int]]:
    return [(one.number, one.stage, one.replica) for one in actions if isinstance(one, action.Spawn)]


def test_the_successor_is_started_before_the_old_one_leaves() -> None:
    run = ready()
    actions = run.feed(stimulus.Restart((WORK,)))
    assert spawned(actions) == [(4, "work", 0)]
    assert told(actions) == []
    run.feed(stimulus.Bound(4))
    assert told(run.feed(stimulus.Ready(4))) == [(WORK, Goal.DRAIN)]
    [event] = reported(run.finish(WORK), events.WorkerRenewed)
    assert isinstance(event, events.WorkerRenewed)
    assert (event.label, event.number, event.successor) == ("work/0", WORK, 4)
    assert [one.number for one in run.roster.members("work")] == [4]
    assert run.roster.renewals == ()


def test_one_worker_at_a_time() -> None:
    run = ready(replicas=3)
    assert spawned(run.feed(stimulus.Restart((2, 3, 4)))) == [(6, "work", 0)]
    run.ready(6)
    assert spawned(run.finish(2)) == [(7, "work", 1)]
    run.ready(7)
    assert spawned(run.finish(3)) == [(8, "work", 2)]
    run.ready(8)
    run.finish(4)
    assert sorted(one.number for one in run.roster.members("work")) == [6, 7, 8]


def test_a_successor_that_cannot_start_harms_nobody_and_ends_the_restart() -> None:
    run = ready(replicas=2)
    run.feed(stimulus.Restart((2, 3)))
    run.feed(stimulus.Failed(5, "SyntaxError: no", "", permanent=True))
    abandoned = reported(run.die(5, BROKEN), events.RenewalAbandoned)
    assert [event.label for event in abandoned if isinstance(event, events.RenewalAbandoned)] == [
        "work/0",
        "work/1",
    ]
    assert run.roster.failure is None
    assert sorted(one.number for one in run.roster.members("work")) == [2, 3]
    assert all(one.told == Goal.WORK for one in run.roster.members("work"))
    assert run.wait(60.0) == []


def test_an_old_worker_that_dies_first_is_not_started_again_beside_its_successor() -> None:
    run = ready()
    run.feed(stimulus.Restart((WORK,)))
    assert spawned(run.die(WORK)) == []
    assert spawned(run.wait(10.0)) == []
    run.feed(stimulus.Bound(4))
    assert reported(run.feed(stimulus.Ready(4)), events.WorkerRenewed)


def test_a_successor_that_dies_while_the_old_one_drains_is_mended() -> None:
    run = ready()
    run.feed(stimulus.Restart((WORK,)))
    run.ready(4)
    run.die(4)
    assert spawned(run.wait(1.0)) == [(5, "work", 0)]
    assert reported(run.finish(WORK), events.WorkerRenewed) == []
    run.feed(stimulus.Bound(5))
    assert reported(run.feed(stimulus.Ready(5)), events.WorkerRenewed)


def test_a_worker_that_died_while_it_waited_for_its_turn_was_renewed_by_that() -> None:
    run = ready(replicas=2)
    run.feed(stimulus.Restart((2, 3)))
    run.die(3)
    run.wait(1.0)
    run.ready()
    actions = run.finish(2)
    assert spawned(actions) == []
    assert len(reported(actions, events.WorkerRenewed)) == 2


def test_a_source_ends_first_then_begins_anew_and_says_so() -> None:
    run = ready()
    actions = run.feed(stimulus.Restart((MAKE,)))
    assert told(actions) == [(MAKE, Goal.DRAIN)]
    assert spawned(actions) == []
    actions = run.finish(MAKE)
    assert spawned(actions) == [(4, "make", 0)]
    assert reported(actions, events.SourceRepeats)
    assert not run.roster.stages["work"].drained, "its followers know that more will come"


def test_whoever_holds_what_only_one_can_hold_drains_first() -> None:
    run = ready()
    assert told(run.feed(stimulus.Restart((WORK,), drain_first=True))) == [(WORK, Goal.DRAIN)]
    assert spawned(run.finish(WORK)) == [(4, "work", 0)]


@pytest.mark.parametrize("number", [MAKE, WORK])
def test_a_death_while_draining_first_is_mended(number: int) -> None:
    run = ready()
    run.feed(stimulus.Restart((number,), drain_first=True))
    run.die(number)
    assert [place[0] for place in spawned(run.wait(1.0))] == [4]
    assert run.roster.failure is None


def test_a_teardown_that_raises_is_told_and_the_successor_comes_all_the_same() -> None:
    run = ready()
    run.feed(stimulus.Restart((WORK,), drain_first=True))
    run.feed(stimulus.Failed(WORK, "OSError: disk", "", permanent=True))
    run.die(WORK, BROKEN)
    assert spawned(run.wait(1.0)) == [(4, "work", 0)]
    assert run.roster.failure is not None
    assert run.roster.goal == Goal.WORK


@pytest.mark.parametrize("drain_first", [True, False])
def test_a_drain_ends_every_restart(drain_first: bool) -> None:
    run = ready()
    run.feed(stimulus.Restart((WORK, SAVE), drain_first=drain_first))
    assert len(reported(run.feed(stimulus.Drain()), events.RenewalAbandoned)) == 2
    assert run.roster.renewals == ()


def test_scaling_takes_the_seat_of_a_worker_that_waits_to_be_renewed() -> None:
    run = ready(replicas=2)
    run.feed(stimulus.Restart((2, 3)))
    assert reported(run.feed(stimulus.Scale("work", 1)), events.RenewalAbandoned)
    run.finish(3)
    run.ready(5)
    run.finish(2)
    assert [one.number for one in run.roster.members("work")] == [5]


def test_who_stands_in_the_queue_is_not_put_there_twice() -> None:
    run = ready()
    run.feed(stimulus.Restart((WORK,)))
    run.feed(stimulus.Restart((WORK, WORK)))
    assert len(run.roster.renewals) == 1


def test_a_second_restart_renews_also_the_successor() -> None:
    run = ready()
    run.feed(stimulus.Restart((WORK,)))
    assert [one.number for one in wanted(run.roster, "work", None)] == [WORK, 4]


def test_what_cannot_be_restarted_is_refused_in_one_sentence() -> None:
    run = ready(replicas=2)
    assert refusal(run.roster, None, None) == refusal(run.roster, "work", 1) == ""
    assert refusal(run.roster, "wrk", None) == "no stage is called wrk; there are make, work, save"
    assert refusal(run.roster, "work", 7) == "there is no work/7; there are work/0, work/1"
    run.finish(MAKE)
    assert refusal(run.roster, "make", None) == "make is not restarted any more: it has finished"
    run.feed(stimulus.Drain())
    assert refusal(run.roster, "work", None).endswith("the pipeline is draining")
