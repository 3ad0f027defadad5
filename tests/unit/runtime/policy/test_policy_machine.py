"""The policy against a world that misbehaves: random deaths, failures, scales, drains and interrupts."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from penstock.pipeline.plan import LinkPlan, Plan, StagePlan
from penstock.pipeline.reference import EXTERNAL, Reference
from penstock.runtime.policy import action, stimulus
from penstock.runtime.policy.death import Death
from penstock.runtime.policy.policy import step
from penstock.runtime.policy.roster import Goal, Pair, Roster, enrol
from penstock.runtime.policy.stimulus import Stimulus

CODE = Reference("/app", "app", "f")
GRACE = 10.0


def diamond() -> Plan:
    """Two sources, one of two replicas; a branch and a merge; two links between one pair of stages."""
    stages = [
        StagePlan("left", "source", CODE, max_restarts=3),
        StagePlan("right", "source", CODE, replicas=2, max_restarts=3),
        StagePlan("work", "stage", CODE, replicas=3, max_restarts=4, timeout=2.0),
        StagePlan("side", "stage", CODE, max_restarts=4),
        StagePlan("save", "sink", CODE, replicas=2, max_restarts=4, start_timeout=5.0),
    ]
    wires = [("left", "work"), ("right", "work"), ("right", "side"), ("work", "save"), ("side", "save")]
    links = [LinkPlan(number, *wire) for number, wire in enumerate(wires)]
    links.append(LinkPlan(len(wires), "work", "save", "rejected"))
    return Plan("diamond", stages, links)


def open_house() -> Plan:
    """A source of ours and one of scripts; a stage of scripts between others."""
    stages = [
        StagePlan("left", "source", CODE, max_restarts=3),
        StagePlan("feed", "source", EXTERNAL),
        StagePlan("ext", "stage", EXTERNAL, replicas=2, timeout=2.0),
        StagePlan("work", "stage", CODE, replicas=2, max_restarts=4, timeout=2.0),
        StagePlan("save", "sink", CODE, max_restarts=4),
    ]
    wires = [("left", "ext"), ("feed", "work"), ("ext", "work"), ("work", "save")]
    return Plan("open", stages, [LinkPlan(number, *wire) for number, wire in enumerate(wires)])


@dataclass
class Process:
    """A worker as the world has it."""

    stage: str
    replica: int
    bound: bool = False
    ready: bool = False
    over: bool = False
    """It said Finished or Failed."""
    told: Goal = Goal.WORK
    killed: bool = False
    paused: bool = False
    guest: bool = False


def chain() -> Plan:
    """One source, one stage, one sink: ends soon, so that much happens near the end."""
    stages = [
        StagePlan("left", "source", CODE, max_restarts=3),
        StagePlan("work", "stage", CODE, timeout=2.0),
        StagePlan("save", "sink", CODE, max_restarts=0),
    ]
    return Plan("chain", stages, [LinkPlan(0, "left", "work"), LinkPlan(1, "work", "save")])


class World(RuleBasedStateMachine):
    """Feeds the policy what may happen, does what it wants, and keeps its own books."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.plan = chain()
        self.roster: Roster = enrol(self.plan, grace=GRACE)
        self.alive: dict[int, Process] = {}
        self.known: set[Pair] = set()
        self.to_look: set[int] = set()
        self.to_count: tuple[str, ...] = ()
        self.retired: set[int] = set()
        self.waiting: set[int] = set()
        """Guests who have asked for a seat."""
        self.asked = 0
        self.ended = False

    @initialize(plan=st.sampled_from([chain(), diamond(), open_house()]))
    def a_run_begins(self, plan: Plan) -> None:
        self.plan = plan
        self.roster = enrol(plan, grace=GRACE)
        self.feed(stimulus.Begin())

    # What the policy wants is done at once, and checked against the books.

    def feed(self, happened: Stimulus) -> None:
        dead = happened.number if isinstance(happened, stimulus.Died) else None
        bereaved = {pair for pair in self.known if dead in {pair.sender, pair.receiver}}
        mourners = {pair.sender if pair.receiver == dead else pair.receiver for pair in bereaved}
        before, copy = self.roster, msgspec.structs.replace(self.roster)
        self.roster, actions = step(self.roster, happened, self.now)
        assert before == copy, "a step changes nothing in place"
        told = [wanted.to for wanted in actions if isinstance(wanted, action.Announce)]
        assert sorted(told) == sorted(mourners), "each living peer of the dead hears of it exactly once"
        self.known -= bereaved
        for wanted in actions:
            self.perform(wanted)
        if dead is not None:
            assert dead in self.retired

    def perform(self, wanted: action.Action) -> None:
        late = isinstance(wanted, action.Refuse)
        assert late or not self.ended, "nothing is wanted after the end, but that who comes late is told"
        if isinstance(wanted, (action.Spawn, action.Admit, action.Refuse)):
            self.fill_seat(wanted)
        elif isinstance(wanted, action.Introduce):
            self.introduce(Pair(*wanted))
        elif isinstance(wanted, action.Tell):
            process = self.alive[wanted.number]
            assert wanted.goal > process.told
            process.told = wanted.goal
        elif isinstance(wanted, action.Pause):
            self.alive[wanted.number].paused = wanted.paused
        elif isinstance(wanted, action.Kill):
            assert not self.alive[wanted.number].killed, "killed once"
            self.alive[wanted.number].killed = True
        elif isinstance(wanted, action.Look):
            self.to_look.add(wanted.number)
        elif isinstance(wanted, action.Count):
            assert self.roster.goal == Goal.DRAIN, "nothing is counted that nobody waits for"
            self.to_count = wanted.stages
        elif isinstance(wanted, action.Retire):
            assert wanted.number not in self.retired
            self.retired.add(wanted.number)
        elif isinstance(wanted, action.End):
            assert not self.alive
            self.ended = True

    def fill_seat(self, wanted: action.Spawn | action.Admit | action.Refuse) -> None:
        if isinstance(wanted, action.Spawn):
            assert self.roster.goal < Goal.STOP
            assert not self.plan.stage(wanted.stage).external, "nobody could be started there"
            assert wanted.number not in self.alive
            seat = wanted.stage, wanted.replica
            sitting = {n for n, process in self.alive.items() if (process.stage, process.replica) == seat}
            renewed = any(each.begun and each.seat == seat for each in self.roster.renewals)
            working = {number for number in sitting if self.alive[number].told == Goal.WORK}
            assert len(working) <= renewed, "one a seat works, and a second only while that is renewed"
            if self.plan.stage(wanted.stage).kind == "source":
                assert not sitting, "two sources would make everything twice"
            paused = self.roster.stages[wanted.stage].paused  # as its assignment says
            self.alive[wanted.number] = Process(wanted.stage, wanted.replica, paused=paused)
            return
        self.waiting.remove(wanted.guest)
        if isinstance(wanted, action.Admit):
            seat = wanted.stage, wanted.replica
            assert seat not in {(process.stage, process.replica) for process in self.alive.values()}
            assert wanted.replica < wanted.replicas or not self.plan.stage(wanted.stage).external
            paused = self.roster.stages[wanted.stage].paused
            self.alive[wanted.number] = Process(*seat, paused=paused, guest=True)

    def introduce(self, pair: Pair) -> None:
        assert pair not in self.known, "a pair is introduced once"
        assert pair.sender in self.alive, "nobody is connected to the dead"
        assert pair.receiver in self.alive
        assert self.alive[pair.sender].bound, "a sender is reachable before receivers hear of it"
        assert self.alive[pair.receiver].told == Goal.WORK, "who drains takes nothing new"
        link = self.plan.links[pair.link]
        assert (self.alive[pair.sender].stage, self.alive[pair.receiver].stage) == (link.source, link.target)
        self.known.add(pair)

    def die(self, number: int, exit: int) -> None:
        del self.alive[number]
        self.to_look.discard(number)
        self.feed(stimulus.Died(number, Death(exit=exit)))

    def pick(self, data: st.DataObject) -> int:
        return data.draw(st.sampled_from(sorted(self.alive)))

    # What may happen.

    @precondition(lambda self: self.alive)
    @rule(data=st.data())
    def a_worker_gets_on(self, data: st.DataObject) -> None:
        number = self.pick(data)
        process = self.alive[number]
        if process.over or process.killed:
            self.die(number, -9 if process.killed else 0)
        elif not process.bound:
            process.bound = True
            self.feed(stimulus.Bound(number))
        elif process.told == Goal.STOP:
            self.die(number, 0)
        elif not process.ready:
            process.ready = True
            self.feed(stimulus.Ready(number))
        elif process.told == Goal.DRAIN:
            process.over = True
            self.feed(stimulus.Finished(number))

    @rule()
    def all_get_ready(self) -> None:
        for number, process in list(self.alive.items()):
            if not (process.ready or process.over or process.killed):
                process.bound = process.ready = True
                self.feed(stimulus.Bound(number))
                self.feed(stimulus.Ready(number))

    @precondition(lambda self: self.alive)
    @rule(data=st.data(), exit=st.sampled_from([-9, -11, 0, 1]))
    def a_worker_is_killed(self, data: st.DataObject, exit: int) -> None:
        self.die(self.pick(data), exit)

    @precondition(lambda self: self.alive)
    @rule(data=st.data(), permanent=st.booleans())
    def a_worker_fails(self, data: st.DataObject, permanent: bool) -> None:
        number = self.pick(data)
        if not self.alive[number].over:
            self.alive[number].over = True
            self.feed(stimulus.Failed(number, "RuntimeError: no", "", permanent))

    @precondition(lambda self: any(p.ready and not p.over for p in self.alive.values()))
    @rule(data=st.data())
    def a_worker_says_it_has_finished(self, data: st.DataObject) -> None:
        ready = [number for number, process in self.alive.items() if process.ready and not process.over]
        number = data.draw(st.sampled_from(sorted(ready)))
        self.alive[number].over = True
        self.feed(stimulus.Finished(number))

    @rule(seconds=st.sampled_from([0.05, 0.5, 2.0, 5.0, 60.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.feed(stimulus.Tick())

    @precondition(lambda self: self.to_look)
    @rule(data=st.data(), ago=st.none() | st.floats(0, 4))
    def the_supervisor_looks(self, data: st.DataObject, ago: float | None) -> None:
        number = data.draw(st.sampled_from(sorted(self.to_look)))
        self.to_look.discard(number)
        self.feed(stimulus.Looked(number, None if ago is None else self.now - ago))

    @precondition(lambda self: self.to_count)
    @rule(items=st.integers(0, 2), motion=st.integers(0, 1))
    def the_supervisor_counts(self, items: int, motion: int) -> None:
        stages, self.to_count = self.to_count, ()
        self.feed(stimulus.Counted(dict.fromkeys(stages, items), motion))

    @rule(stage=st.sampled_from(["work", "save", "side", "left"]), replicas=st.integers(0, 4))
    def somebody_scales(self, stage: str, replicas: int) -> None:
        self.feed(stimulus.Scale(stage, replicas))

    @rule(stage=st.sampled_from(["work", "save", "left"]), paused=st.booleans())
    def somebody_pauses(self, stage: str, paused: bool) -> None:
        self.feed(stimulus.Pause(stage, paused))

    @precondition(lambda self: self.alive)
    @rule(data=st.data(), drain_first=st.booleans())
    def somebody_restarts(self, data: st.DataObject, drain_first: bool) -> None:
        numbers = data.draw(st.lists(st.sampled_from(sorted(self.alive)), max_size=4))
        self.feed(stimulus.Restart(tuple(numbers), drain_first))

    @rule(data=st.data())
    def somebody_asks_for_a_seat(self, data: st.DataObject) -> None:
        seats = [(stage.name, None) for stage in self.plan.stages if stage.external]
        stage, replica = data.draw(st.sampled_from([*seats, *sorted(self.roster.seats), ("save", 7)]))
        self.asked += 1
        self.waiting.add(self.asked)
        self.feed(stimulus.Attach(stage, replica, self.asked))

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def somebody_waits_no_longer(self, data: st.DataObject) -> None:
        guest = data.draw(st.sampled_from(sorted(self.waiting)))
        self.waiting.remove(guest)
        self.feed(stimulus.Withdrawn(guest))

    @precondition(lambda self: any(process.guest for process in self.alive.values()))
    @rule(data=st.data())
    def a_guest_wants_to_go(self, data: st.DataObject) -> None:
        guests = [number for number, process in self.alive.items() if process.guest and not process.over]
        if guests:
            self.feed(stimulus.Leaving(data.draw(st.sampled_from(sorted(guests)))))

    @rule(
        word=st.sampled_from([stimulus.Drain(), stimulus.Interrupt(), stimulus.Stop()]),
        luck=st.integers(0, 9),
    )
    def somebody_wants_an_end(self, word: Stimulus, luck: int) -> None:
        if luck == 9:  # seldom, or no run would get far
            self.feed(word)

    @rule(number=st.integers(1000, 1010))
    def there_is_news_of_the_long_dead(self, number: int) -> None:
        before = self.roster
        for happened in (stimulus.Bound(number), stimulus.Ready(number), stimulus.Finished(number)):
            self.feed(happened)
        assert self.roster == before or self.roster.goal == before.goal

    # What must hold after each step.

    @invariant()
    def the_roster_knows_who_is_alive(self) -> None:
        assert set(self.roster.workers) == set(self.alive)
        assert self.roster.pairs == self.known

    @invariant()
    def there_are_never_more_replicas_than_asked_for(self) -> None:
        for stage in self.roster.stages.values():
            assert len(self.kept(stage.name)) <= stage.asked

    @invariant()
    def there_are_as_many_as_asked_for_while_there_is_work(self) -> None:
        for stage in self.roster.stages.values():
            ours = not stage.is_source and not stage.external
            if self.roster.goal == Goal.WORK and ours and not stage.drained:
                assert len(self.kept(stage.name)) == stage.asked

    def kept(self, stage: str) -> set[tuple[str, int]]:
        """The seats where somebody works, will work, or makes room for a successor."""
        working = {one.seat for one in self.roster.members(stage) if one.told == Goal.WORK}
        working |= {one.seat for one in self.roster.members(stage) if one.leaving}
        waiting = {
            key for key, seat in self.roster.seats.items() if key[0] == stage and (seat.due or seat.guest)
        }
        making_room = {
            each.seat
            for each in self.roster.renewals
            if each.begun and each.drain_first and each.stage == stage
        }
        return working | waiting | making_room

    @invariant()
    def no_restart_waits_for_ever(self) -> None:
        for each in self.roster.renewals[:1]:
            seat = self.roster.seats[each.seat]
            sitting = [one for one in self.roster.workers.values() if one.seat == each.seat]
            assert each.begun
            assert seat.due is not None or sitting, "somebody comes or goes, and that is news"
            coming = seat.due is not None or any(one.number > each.old for one in sitting)
            assert coming or any(one.told > Goal.WORK for one in sitting)

    @invariant()
    def everybody_knows_how_far_to_end(self) -> None:
        for stage in self.roster.stages.values():
            nothing_comes = not stage.is_source and all(map(self.is_over, stage.feeders))
            goal = max(
                self.roster.goal if stage.is_source or self.roster.goal >= Goal.STOP else Goal.WORK,
                Goal.DRAIN if nothing_comes else Goal.WORK,
            )
            assert all(one.told >= goal for one in self.roster.members(stage.name))

    def is_over(self, stage: str) -> bool:
        waiting = any(key[0] == stage and (seat.due or seat.guest) for key, seat in self.roster.seats.items())
        known = self.roster.stages[stage]
        until = Goal.DRAIN if known.is_source else Goal.STOP
        may_come = known.external and not known.drained and self.roster.goal < until
        return not waiting and not may_come and not any(self.roster.members(stage))

    @invariant()
    def who_waits_for_a_seat_will_be_answered(self) -> None:
        kept = {seat.guest for seat in self.roster.seats.values()} - {None}
        assert kept == self.waiting
        for key, seat in self.roster.seats.items():
            sitting = [one for one in self.roster.workers.values() if one.seat == key]
            assert seat.guest is None or any(one.told > Goal.WORK for one in sitting)

    @invariant()
    def every_living_pair_on_a_link_has_been_introduced(self) -> None:
        for link in self.roster.links:
            for sender in self.roster.members(link.source):
                for receiver in self.roster.members(link.target):
                    if sender.sends and receiver.takes:
                        assert Pair(link.id, sender.number, receiver.number) in self.known

    @invariant()
    def who_lives_knows_whether_it_is_paused_and_nothing_is_while_the_run_drains(self) -> None:
        for number, process in self.alive.items():
            assert process.paused == self.roster.stages[process.stage].paused, number
            assert not (process.paused and self.roster.goal > Goal.WORK)

    @invariant()
    def time_alone_changes_nothing_now(self) -> None:
        wake = self.roster.wake()
        assert wake is None or wake > self.now, "a timer that is due would make the supervisor spin"

    def teardown(self) -> None:
        """From wherever this has led, the run ends once its sources have."""
        if not self.roster.begun:
            return
        if any(stage.external for stage in self.plan.stages):
            self.feed(stimulus.Drain())  # scripts could come for ever
        for _ in range(200):
            if self.ended:
                break
            self.round()
        assert self.ended, "the run ends"
        assert self.roster.ended
        assert self.roster.wake() is None

    def round(self) -> None:
        for number, process in sorted(self.alive.items()):
            if process.killed or process.over or process.told == Goal.STOP:
                self.die(number, 0)
            elif process.told == Goal.DRAIN or self.roster.stages[process.stage].is_source:
                process.over = True
                self.feed(stimulus.Finished(number))
            elif not process.ready:
                process.bound = process.ready = True
                self.feed(stimulus.Bound(number))
                self.feed(stimulus.Ready(number))
        wake = self.roster.wake()
        if wake is not None:
            self.now = max(self.now, wake)
            self.feed(stimulus.Tick())


TestPolicyInAWorldThatMisbehaves = World.TestCase
TestPolicyInAWorldThatMisbehaves.settings = settings(max_examples=40, stateful_step_count=60, deadline=None)
