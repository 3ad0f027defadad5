"""Any sequence of what may happen to jobs, against a dict that says what should have come of it; the same
whatever keeps them: a store in memory, one on disk, or a hub behind a broker."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from penstock.rabbitmq import talk, topology
from penstock.rabbitmq.desk import RabbitDesk
from penstock.rabbitmq.message import Message
from penstock.rabbitmq.url import parse
from penstock.tasks import survey
from penstock.tasks.freight import packed
from penstock.tasks.job import Claim, NewJob, Rules, new_id, wall
from penstock.tasks.settle import Closing, Done, Ended, Failed, Outcome, Returned
from penstock.tasks.store import Store
from tests.courier import Runner
from tests.hub import Hub, prepare
from tests.jobs import until
from tests.proxy import proxy

LIVE = {"scheduled", "ready", "running"}
WAITING = {"scheduled", "ready"}


class Ground(Protocol):
    """What keeps the jobs, as those see it who submit, run and steer them."""

    delay: int
    """Milliseconds: of what is submitted for later."""
    has_own_clock: bool
    """Whether it can be moved by hand."""

    def now(self) -> int:
        """Milliseconds since 1970."""

    def wait(self, ms: int) -> None:
        """Let so much time pass."""

    def turn_back(self) -> None:
        """Have the clock jump back by an hour."""

    def submit(self, job: NewJob) -> str:
        """Hand it in; which one it is now."""

    def claim(self, limit: int, waiting: int) -> list[Claim]:
        """Up to so many, of those that wait; it is known how many there are."""

    def end(self, claim: Claim, outcome: Outcome) -> None:
        """That attempt has come to this."""

    def end_late(self, claim: Claim) -> None:
        """Say that one is done which is given up, or has ended already."""

    def cancel(self, id: str) -> None:
        """Have it end."""

    def requeue(self, id: str) -> bool:
        """Put it back; whether it was."""

    def disturb(self, how: int) -> None:
        """Have something end that must not matter."""

    def states(self, ids: list[str]) -> dict[str, str]:
        """How these stand."""

    def is_so(self, look: Callable[[], bool], what: str) -> None:
        """That must be so, or be so soon."""

    def leave(self) -> None:
        """Nothing more is to happen."""


class InStore:
    """A store, and a clock that is moved by hand."""

    delay, has_own_clock = 5000, True

    def __init__(self, path: str) -> None:
        self._path, self._time = path, 1_800_000_000_000
        self._open()

    def _open(self) -> None:
        self._store = Store(self._path, now=self.now, jitter=lambda: 0.0)

    def now(self) -> int:
        return self._time

    def wait(self, ms: int) -> None:
        self._time += ms

    def turn_back(self) -> None:
        self._time -= 3_600_000

    def submit(self, job: NewJob) -> str:
        return self._store.submit([job])[0]

    def claim(self, limit: int, waiting: int) -> list[Claim]:
        return self._store.claim("w", "g", limit)

    def end(self, claim: Claim, outcome: Outcome) -> None:
        assert self._closed(claim, outcome) is not None

    def end_late(self, claim: Claim) -> None:
        assert self._closed(claim, Done(b"late")) is None

    def _closed(self, claim: Claim, outcome: Outcome) -> str | None:
        return self._store.close_attempts([Closing(claim.id, claim.fence, outcome, worker="w")])[0]

    def cancel(self, id: str) -> None:
        self._store.cancel(id)

    def requeue(self, id: str) -> bool:
        return self._store.requeue([id]) == [id]

    def disturb(self, how: int) -> None:
        """Who has it open closes it."""
        if self._path != ":memory:":
            self._store.close()
            self._open()

    def states(self, ids: list[str]) -> dict[str, str]:
        return {each.id: each.state for each in survey.states(self._store, ids)}

    def is_so(self, look: Callable[[], bool], what: str) -> None:
        assert look(), what

    def leave(self) -> None:
        self._store.close()


class OverBroker:
    """A hub, a client and a supervisor's courier, that share nothing but a broker."""

    delay, has_own_clock = 20, False

    def __init__(self, url: str, directory: Path, open: ExitStack) -> None:
        """What it has is closed with ``open``."""
        prepare(url, "g")
        self._url, self._path = url, directory / "hub" / "jobs.db"
        self._path.parent.mkdir()
        self._hub = Hub(url, self._path, "g").start()
        open.callback(self._end_hub)
        self._store = Store(str(self._path))
        open.callback(self._store.close)
        self._way = open.enter_context(proxy(parse(url).port))
        self._runner = Runner(url, directory, "g", way=self._way.port)
        open.callback(self._runner.close)
        self._desk = RabbitDesk(parse(url), patience=60.0)
        open.callback(self._desk.close)

    def _end_hub(self) -> None:
        self._hub.close()

    def now(self) -> int:
        return wall()

    def wait(self, ms: int) -> None:
        """It passes by itself."""

    def turn_back(self) -> None:
        """A broker goes by the clock of the machine: ``tests/unit/rabbitmq/test_registrar.py`` moves the
        hub's."""

    def submit(self, job: NewJob) -> str:
        (id,) = self._desk.submit([job])
        found = self._desk.job(id)
        assert found is not None
        return found.id

    def claim(self, limit: int, waiting: int) -> list[Claim]:
        """All that are wished for come: who waits is never forgotten."""
        return self._runner.claim(min(limit, waiting))

    def end(self, claim: Claim, outcome: Outcome) -> None:
        self._runner.end(claim, outcome)
        until(lambda: self._has_ended(claim), f"{claim} has ended")

    def _has_ended(self, claim: Claim) -> bool:
        return any(each.fence == claim.fence for each in self._store.attempts(claim.id))

    def end_late(self, claim: Claim) -> None:
        """Behind it comes word of a job that nobody knows, which is kept: then both have been read."""
        marker = new_id()
        endings = [talk.Ending(claim.id, claim.fence, Done(b"late")), talk.Ending(marker, 1, Done())]
        report = talk.encode(talk.Report("worker.g.late", [*endings]))
        self._runner.publish((topology.EVENTS, "g.settled", Message(body=report)))
        known = "SELECT 1 FROM early WHERE job = ?"
        until(lambda: self._store.db.execute(known, (marker,)).fetchone(), "it is read")

    def cancel(self, id: str) -> None:
        self._desk.cancel([id])

    def requeue(self, id: str) -> bool:
        return self._desk.requeue([id]) == [id]

    def disturb(self, how: int) -> None:
        """Another hub takes over, or all connections of the supervisor end."""
        if how:
            self._way.cut()
            self._way.mend()
        else:
            self._end_hub()
            self._hub = Hub(self._url, self._path, "g").start()

    def states(self, ids: list[str]) -> dict[str, str]:
        return {each.id: each.state for each in survey.states(self._store, ids)}

    def is_so(self, look: Callable[[], bool], what: str) -> None:
        until(look, what)

    def leave(self) -> None:
        """It is for the next one, too."""


class Jobs(RuleBasedStateMachine):
    """What is done to jobs, and what must come of it."""

    keys = st.sampled_from(["", "", "k", "l"])

    def __init__(self, ground: Callable[[], Ground]) -> None:
        super().__init__()
        self.ground = ground()
        self.jobs: dict[str, NewJob] = {}
        self.state: dict[str, str] = {}
        self.key: dict[str, str] = {}
        self.failures: dict[str, int] = {}
        self.held: dict[str, Claim] = {}
        self.former: list[Claim] = []
        self.cancelled: set[str] = set()
        self.fences: dict[str, itertools.count[int]] = {}
        self.needs: dict[str, list[str]] = {}
        """Of those that still wait for others."""

    def teardown(self) -> None:
        """Nothing of it is live for those that come after."""
        for id, claim in self.held.items():
            self.ground.cancel(id)
            self.ground.end(claim, Ended())
        for id, state in self.state.items():
            if state in WAITING:
                self.ground.cancel(id)
        self.ground.leave()

    def _live(self, key: str) -> str | None:
        return next((id for id, mine in self.key.items() if mine == key and self.state[id] in LIVE), None)

    def _waiting(self) -> list[str]:
        """Those that come when their time has come; not those that wait for others."""
        return [id for id, state in self.state.items() if state in WAITING and id not in self.needs]

    @rule(key=keys, is_late=st.booleans(), most=st.integers(0, 2))
    def submit(self, key: str, is_late: bool, most: int) -> None:
        due = self.ground.now() + self.ground.delay if is_late else 0
        job = NewJob("g", "t", b"", unique=key, run_at=due, rules=Rules(max_failures=most, backoff=0.01))
        double = self._live(key) if key else None
        assert self.ground.submit(job) == (double or job.id)
        if double is None:
            self._is_new(job, key)

    def _is_new(self, job: NewJob, key: str = "") -> None:
        self.jobs[job.id], self.key[job.id], self.failures[job.id] = job, key, 0
        self.state[job.id] = "scheduled" if job.run_at or job.needs else "ready"
        self.fences[job.id] = itertools.count(1)

    @precondition(lambda self: self._keyless())
    @rule(data=st.data())
    def submit_again(self, data: st.DataObject) -> None:
        """As who has heard no answer does."""
        id = data.draw(st.sampled_from(self._keyless()))
        assert self.ground.submit(self.jobs[id]) == id

    def _keyless(self) -> list[str]:
        return [id for id, job in self.jobs.items() if not job.unique and not job.needs]

    @precondition(lambda self: self.state)
    @rule(data=st.data())
    def submit_one_that_needs_others(self, data: st.DataObject) -> None:
        needs = data.draw(st.lists(st.sampled_from(list(self.state)), min_size=1, max_size=3, unique=True))
        job = NewJob("g", "t", packed([[], {}, ["", True]]), needs=needs, rules=Rules(backoff=0.01))
        assert self.ground.submit(job) == job.id
        self._is_new(job)
        self.needs[job.id] = needs
        self._needs_are_seen()

    def _needs_are_seen(self) -> None:
        """What becomes of those that wait, after one has changed: until nothing changes any more."""
        while True:
            before = dict(self.state)
            for id, needs in list(self.needs.items()):
                states = {self.state[each] for each in needs}
                if self.state[id] == "scheduled" and states == {"done"}:
                    self.state[id] = "ready"
                    del self.needs[id]
                elif self.state[id] == "scheduled" and states & {"dead", "cancelled"}:
                    self.state[id] = "cancelled"
            if before == self.state:
                return

    def _comes_back(self, id: str) -> bool:
        """Whether one that was put back is; with those that were cancelled because of it."""
        if id not in self.needs:
            self.state[id], self.failures[id] = "ready", 0
        elif any(self.state[each] in {"dead", "cancelled"} for each in self.needs[id]):
            return False
        else:
            self.state[id] = "scheduled"
            self._needs_are_seen()
        self.cancelled.discard(id)
        for other, needs in list(self.needs.items()):
            if id in needs and self.state[other] == "cancelled" and other not in self.cancelled:
                self._comes_back(other)
        return True

    @precondition(lambda self: self.ground.has_own_clock)
    @rule(ms=st.sampled_from([1, 1000, 10_000]))
    def wait(self, ms: int) -> None:
        self.ground.wait(ms)

    @precondition(lambda self: self.ground.has_own_clock)
    @rule()
    def the_clock_jumps_back(self) -> None:
        self.ground.turn_back()

    @precondition(lambda self: self._waiting())
    @rule(limit=st.integers(1, 3))
    def claim(self, limit: int) -> None:
        self._claim(limit)

    def _claim(self, limit: int) -> int:
        claims = self.ground.claim(limit, len(self._waiting()))
        for claim in claims:
            assert self.state[claim.id] in WAITING
            assert claim.id not in self.cancelled
            assert claim.fence == next(self.fences[claim.id])
            assert claim.failures == self.failures[claim.id]
            self.state[claim.id], self.held[claim.id] = "running", claim
        return len(claims)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), how=st.sampled_from(["done", "failed", "returned", "ended"]))
    def end(self, data: st.DataObject, how: str) -> None:
        self._end(data.draw(st.sampled_from(list(self.held))), how)

    def _end(self, id: str, how: str) -> None:
        claim = self.held.pop(id)
        outcomes: dict[str, Outcome] = {
            "done": Done(b"r"),
            "failed": Failed("error", "x"),
            "returned": Returned(),
        }
        self.ground.end(claim, outcomes.get(how, Ended()))
        self.former.append(claim)
        self.failures[id] += how == "failed"
        self.state[id] = self._come_to(claim, how)
        self._needs_are_seen()

    def _come_to(self, claim: Claim, how: str) -> str:
        if how == "done":
            return "done"
        if how == "ended" or claim.id in self.cancelled:
            return "cancelled"
        if how == "returned":
            return "ready"
        return "dead" if self.failures[claim.id] > claim.rules.max_failures else "scheduled"

    @precondition(lambda self: self.former)
    @rule(data=st.data())
    def speak_too_late(self, data: st.DataObject) -> None:
        self.ground.end_late(data.draw(st.sampled_from(self.former)))

    @precondition(lambda self: self.state)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        id = data.draw(st.sampled_from(list(self.state)))
        self.ground.cancel(id)
        if self.state[id] in WAITING:
            self.state[id] = "cancelled"
        if self.state[id] in {"running", "cancelled"}:
            self.cancelled.add(id)
        self._needs_are_seen()

    @precondition(lambda self: self.state)
    @rule(data=st.data())
    def put_back(self, data: st.DataObject) -> None:
        id = data.draw(st.sampled_from(list(self.state)))
        may = self.state[id] in {"dead", "cancelled"} and not (self.key[id] and self._live(self.key[id]))
        may = may and self._comes_back(id)
        assert self.ground.requeue(id) == may

    @precondition(lambda self: self.state)
    @rule(how=st.integers(0, 1))
    def disturb(self, how: int) -> None:
        self.ground.disturb(how)

    @precondition(lambda self: self.state)
    @rule()
    def all_that_waits_is_done(self) -> None:
        """Nothing is forgotten, and nothing comes twice."""
        for id in list(self.held):
            self._end(id, "done")
        while waiting := len(self._waiting()):
            self.ground.wait(100_000_000)
            assert self._claim(waiting) > 0, self.state
            for id in list(self.held):
                self._end(id, "done")
        assert self._claim(1) == 0

    @invariant()
    def all_are_where_they_should_be(self) -> None:
        self.ground.is_so(self._is_right, f"they are as they should be: {self.state}")

    def _is_right(self) -> bool:
        found = self.ground.states(list(self.state))
        due = {id for id, state in found.items() if state == "ready" and self.state[id] == "scheduled"}
        return found == {id: "ready" if id in due else state for id, state in self.state.items()}


def _run(ground: Callable[[], Ground], examples: int, steps: int) -> None:
    limits = settings(max_examples=examples, stateful_step_count=steps, deadline=None)
    made: Any = lambda: Jobs(ground)  # noqa: E731 - any callable will do, whatever the signature says
    run_state_machine_as_test(made, settings=limits)


def test_in_memory(long_form: bool) -> None:
    _run(lambda: InStore(":memory:"), 1000 if long_form else 40, 30)


def test_on_disk(tmp_path: Path) -> None:
    numbers = itertools.count()
    _run(lambda: InStore(str(tmp_path / f"{next(numbers)}.db")), 15, 30)


# What draws and what runs are in one process here, and reconnecting takes a random pause.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
@pytest.mark.timeout(900)
@pytest.mark.fault
def test_behind_a_broker(broker: str, tmp_path: Path, long_form: bool) -> None:
    with ExitStack() as open:
        ground = OverBroker(broker, tmp_path, open)
        _run(lambda: ground, 200 if long_form else 8, 25)
