"""What a sender owes, whatever its receivers do and in whatever order it hears of that."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from penstock.link.ledger import FIRST_PAUSE, LONGEST_PAUSE, Cargo, Fault, Ledger, Run

RECEIVERS = st.integers(1, 2)
RUNS = st.lists(st.integers(1, 3), min_size=1, max_size=3)


@dataclass
class Out:
    """A batch that is out, as we know it."""

    receiver: int
    cargo: Cargo
    finished: bool = False
    failed: set[int] = field(default_factory=set)


def names(cargo: Cargo) -> list[str]:
    """The ids of its items, which must agree with what they carry."""
    runs = [cargo.run_at(place) for place in range(len(cargo))]
    ids = [f"{run.origin}:{run.first}" for run in runs]
    assert [payload.decode() for payload in cargo.payloads] == ids
    assert sum(run.items for run in cargo.runs) == len(cargo)
    return ids


faults = st.lists(
    st.builds(
        Fault,
        place=st.integers(-1, 6),
        cause=st.just("ValueError: no"),
        reject=st.sampled_from([False, False, False, True]),
        after=st.none() | st.sampled_from([-1.0, 0.0, 0.5, 30.0, math.nan]),
        unread=st.sampled_from([False, False, True]),
        shared=st.sampled_from([False, False, True]),
    ),
    max_size=4,
)


class Account(RuleBasedStateMachine):
    """Every item is in exactly one place, and the ledger's numbers say how many are where."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.made = 0
        self.max_failures = 0
        self.ledger = Ledger(0)
        self.out: dict[int, Out] = {}
        self.dying: list[Cargo] = []
        self.unburied: dict[str, float] = {}
        self.settled: Counter[str] = Counter()
        self.dead: Counter[str] = Counter()
        self.attempt: dict[str, int] = {}
        self.failures: Counter[str] = Counter()
        self.again = 0
        self.taken_back = 0

    @initialize(max_failures=st.integers(0, 3))
    def a_link_begins(self, max_failures: int) -> None:
        self.max_failures = max_failures
        self.ledger = Ledger(max_failures)

    # What may happen.

    @rule(
        batches=st.lists(
            st.tuples(RECEIVERS, st.lists(st.integers(1, 3), min_size=1, max_size=3)), max_size=3
        )
    )
    def new_items_are_sent(self, batches: list[tuple[int, list[int]]]) -> None:
        for receiver, runs in batches:
            parts, payloads = [], []
            for number, items in enumerate(runs):
                parts.append(Run(f"parent {number}", "src/0", self.made, items))
                payloads += [b"src/0:%d" % n for n in range(self.made, self.made + items)]
                self.made += items
            cargo = Cargo(payloads, parts)
            self.attempt.update(dict.fromkeys(names(cargo), 1))
            self.send(receiver, cargo)

    @precondition(lambda self: self.ledger.due(self.now))
    @rule(receiver=RECEIVERS)
    def what_is_due_goes_out_again(self, receiver: int) -> None:
        cargo = self.ledger.take_due()
        assert len(cargo) == 1, "delivered again, an item travels alone"
        (name,) = names(cargo)
        assert cargo.attempt == self.attempt[name] + 1
        assert cargo.failures == self.failures[name] <= self.max_failures
        self.attempt[name] = cargo.attempt
        self.again += cargo.attempt > 1
        self.send(receiver, cargo)

    @rule()
    def a_dead_letter_is_put_back(self) -> None:
        cargo = Cargo([b"src/0:%d" % self.made], [Run(None, "src/0", self.made, 1)])
        self.made += 1
        self.attempt.update(dict.fromkeys(names(cargo), 0))
        self.ledger.requeue(cargo, self.now)

    def send(self, receiver: int, cargo: Cargo) -> None:
        number = self.ledger.send(receiver, cargo)
        assert number not in self.out
        self.out[number] = Out(receiver, cargo)

    @precondition(lambda self: any(not out.finished for out in self.out.values()))
    @rule(data=st.data(), faults=faults)
    def a_batch_is_finished(self, data: st.DataObject, faults: list[Fault]) -> None:
        number = data.draw(st.sampled_from([n for n, out in self.out.items() if not out.finished]))
        out = self.out[number]
        for fault in faults:
            if 0 <= fault.place < len(out.cargo) and fault.place not in out.failed:
                out.failed.add(fault.place)
                in_company = fault.unread and len(out.cargo) > 1
                if not in_company and not fault.unbegun and not (fault.shared and out.cargo.attempt == 1):
                    self.failures[names(out.cargo)[fault.place]] += 1
        cargo, dying = self.ledger.finish(out.receiver, number, faults, self.now)
        assert cargo is out.cargo
        self.bring_to_grave(dying)
        out.finished = True

    @precondition(lambda self: any(out.finished for out in self.out.values()))
    @rule(data=st.data())
    def a_batch_is_settled(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from([n for n, out in self.out.items() if out.finished]))
        out = self.out.pop(number)
        done = self.ledger.settle(out.receiver, number)
        assert done == (out.cargo, out.failed)
        self.settled.update(name for place, name in enumerate(names(out.cargo)) if place not in out.failed)

    @rule(data=st.data())
    def a_receiver_dies(self, data: st.DataObject) -> None:
        receiver = data.draw(st.sampled_from(sorted({out.receiver for out in self.out.values()}) or [1]))
        held = {number: out for number, out in self.out.items() if out.receiver == receiver}
        places = [(number, place) for number, out in held.items() for place in range(-1, len(out.cargo) + 1)]
        blame = data.draw(st.sampled_from([None, (999_999, 0), *places]))
        for number, out in held.items():
            del self.out[number]
            self.taken_back += len(out.cargo) - len(out.failed)
            for place, name in enumerate(names(out.cargo)):
                self.failures[name] += (number, place) == blame and place not in out.failed
        self.bring_to_grave(self.ledger.lose(receiver, "killed (SIGKILL)", blame, self.now))

    @precondition(lambda self: any(not out.finished for out in self.out.values()))
    @rule(data=st.data())
    def a_batch_could_not_be_handed_over(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from([n for n, out in self.out.items() if not out.finished]))
        out = self.out.pop(number)
        self.ledger.unsent(out.receiver, number, self.now)
        for name in names(out.cargo):
            self.attempt[name] -= 1
            self.again -= self.attempt[name] > 0

    @rule(receiver=RECEIVERS, data=st.data(), faults=faults)
    def there_is_late_or_false_word(self, receiver: int, data: st.DataObject, faults: list[Fault]) -> None:
        batch = data.draw(st.sampled_from([0, 1, 999, *self.out]))
        out = self.out.get(batch)
        if out is None or out.receiver != receiver or out.finished:
            assert self.ledger.finish(receiver, batch, faults, self.now) == (None, [])
        if out is None or out.receiver != receiver or not out.finished:
            assert self.ledger.settle(receiver, batch) is None

    def bring_to_grave(self, dying: list[Cargo]) -> None:
        for cargo in dying:
            (name,) = names(cargo)
            assert cargo.failures == self.failures[name]
            assert cargo.attempt == self.attempt[name] + 1
        self.dying += dying

    @precondition(lambda self: self.dying)
    @rule(pause=st.none() | st.sampled_from([0.0, 1.0]))
    def one_is_buried_or_not(self, pause: float | None) -> None:
        cargo = self.dying.pop()
        (name,) = names(cargo)
        if pause is None:
            self.ledger.buried(cargo)
            self.dead[name] += 1
        else:
            self.ledger.not_buried(cargo, self.now + pause)
            self.unburied[name] = self.now + pause

    @rule()
    def the_unburied_are_tried_again(self) -> None:
        found = self.ledger.take_unburied(self.now)
        due = {name for name, when in self.unburied.items() if when <= self.now}
        assert {name for cargo in found for name in names(cargo)} == due
        for name in due:
            del self.unburied[name]
        self.dying += found

    @rule(seconds=st.sampled_from([0.01, 0.05, 1.0, LONGEST_PAUSE, 60.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    # What must hold after each step.

    def held(self) -> list[str]:
        """Items that are with receivers, or on their way to the grave."""
        with_receivers = [
            name
            for out in self.out.values()
            for place, name in enumerate(names(out.cargo))
            if place not in out.failed
        ]
        return with_receivers + [name for cargo in self.dying for name in names(cargo)] + list(self.unburied)

    def waiting(self) -> list[str]:
        return [name for _, _, cargo in self.ledger._again for name in names(cargo)]

    @invariant()
    def sent_is_settled_and_dead_and_in_flight(self) -> None:
        ledger = self.ledger
        assert ledger.sent == self.made
        assert ledger.settled == self.settled.total()
        assert ledger.dead == self.dead.total()
        assert ledger.in_flight == len(self.held()) + len(self.waiting())
        assert ledger.again == self.again
        assert ledger.taken_back == self.taken_back

    @invariant()
    def every_item_is_in_exactly_one_place(self) -> None:
        places = Counter([*self.settled.elements(), *self.dead.elements(), *self.held(), *self.waiting()])
        assert places == Counter(self.attempt.keys())

    @invariant()
    def nobody_fails_oftener_than_allowed(self) -> None:
        assert all(failures <= self.max_failures + 1 for failures in self.failures.values())

    @invariant()
    def timers_say_when_something_is_due(self) -> None:
        due = self.ledger.next_due()
        assert (due is None) == (not self.waiting())
        assert self.ledger.due(self.now) == (due is not None and due <= self.now)
        assert self.ledger.next_burial() == min(self.unburied.values(), default=None)


TestAnAccount = Account.TestCase


def one(number: int = 0) -> Cargo:
    return Cargo([b"x"], [Run(None, "src/0", number, 1)], nbytes=1)


@given(st.integers(1, 40))
def test_each_failure_doubles_the_pause_up_to_a_bound(failures: int) -> None:
    ledger = Ledger(1000)
    cargo, now = one(), 0.0
    for _ in range(failures):
        ledger.finish(1, ledger.send(1, cargo), [Fault(0, "no")], now)
        due = ledger.next_due()
        assert due is not None
        pause, now = due - now, due
        cargo = ledger.take_due()
    assert pause == pytest.approx(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (failures - 1)))


def test_what_is_due_first_goes_first_and_equals_in_the_order_they_failed() -> None:
    ledger = Ledger(3)
    for number, after in enumerate([5.0, 1.0, 1.0, 0.0]):
        ledger.finish(1, ledger.send(1, one(number)), [Fault(0, "no", after=after)], 0.0)
    assert [ledger.take_due().runs[0].first for _ in range(4)] == [3, 1, 2, 0]


def test_an_item_that_killed_its_worker_is_told_from_its_neighbours() -> None:
    ledger = Ledger(0)
    number = ledger.send(7, Cargo([b"a", b"b", b"c"], [Run(None, "src/0", 0, 3)]))
    dying = ledger.lose(7, "work/0 killed (SIGSEGV)", (number, 1), 0.0)
    assert [(cargo.payloads, cargo.cause) for cargo in dying] == [([b"b"], "work/0 killed (SIGSEGV)")]
    assert [ledger.take_due().payloads for _ in range(2)] == [[b"a"], [b"c"]]


def test_a_failed_item_keeps_its_arrays_and_the_settled_ones_are_told_apart() -> None:
    class Slot:
        size = 100

    slots: list[Sequence[Slot]] = [[Slot()], [Slot()]]
    ledger = Ledger(3)
    cargo = Cargo([b"a", b"b"], [Run("p", "src/0", 0, 2)], slots=slots, nbytes=202)
    number = ledger.send(1, cargo)
    ledger.finish(1, number, [Fault(1, "no", after=0.0)], 0.0)
    again = ledger.take_due()
    assert again.slots == [slots[1]]
    assert again.nbytes == 101
    assert again.runs == [Run("p", "src/0", 1, 1)]
    done = ledger.settle(1, number)
    assert done is not None and done.failed == {1}


def test_the_oldest_that_is_out_is_told_whatever_came_back_first() -> None:
    ledger = Ledger(3)
    assert ledger.oldest == 0.0
    first, second = (ledger.send(7, Cargo([b""], [Run(None, "a", n, 1)]), 10.0 + n) for n in range(2))
    ledger.finish(7, second, (), 12.0)
    ledger.settle(7, second)
    assert ledger.oldest == 10.0
    ledger.finish(7, first, (), 12.0)
    assert ledger.oldest == 10.0
    ledger.settle(7, first)
    assert ledger.oldest == 0.0


@given(st.integers(1, 8), st.integers(0, 3))
def test_items_that_failed_together_come_again_alone_and_only_then_do_their_failures_count(
    items: int, max_failures: int
) -> None:
    ledger = Ledger(max_failures)
    cargo = Cargo([b"x"] * items, [Run(None, "src/0", 0, items)])
    together = [Fault(place, "", shared=True) for place in range(items)]
    assert ledger.finish(1, ledger.send(1, cargo), together, 0.0)[1] == []
    alone = [ledger.take_due() for _ in range(items)]
    assert [(len(one), one.attempt, one.failures) for one in alone] == [(1, 2, 0)] * items
    # Said of one that came alone, it is a failure like others: nobody can have items sent for ever.
    one = alone[0]
    for failures in range(1, max_failures + 2):
        _, dying = ledger.finish(1, ledger.send(1, one), [Fault(0, "no", shared=True)], 0.0)
        assert len(dying) == (failures > max_failures)
        one = dying[0] if dying else ledger.take_due()
        assert one.failures == failures
