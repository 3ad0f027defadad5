"""What a stage passes on nobody copies; and whoever dies or drops it, nobody reads what is used again."""

from __future__ import annotations

import fcntl
import gc
import os
import tempfile
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from penstock.errors import PeerError
from penstock.message import lease
from penstock.message.arena import Arena, Mapping
from penstock.message.arrays import LARGE
from penstock.message.codec import Decoder, Encoder, join
from penstock.message.source import Source
from penstock.message.views import View, Views

KIB, MIB = 1 << 10, 1 << 20


@dataclass
class Letter:
    """An item on its way, or with somebody who has not settled it."""

    sender: Process
    payload: bytes
    slots: list[Any]
    mark: int
    size: int


class Process:
    """What one worker has of this: an arena, its views, and what came to it."""

    def __init__(self, number: int, path: str) -> None:
        self.number = number
        self.arena = Arena(path, MIB)
        self.views = Views()
        self.encoder = Encoder(self.arena, views=self.views)
        self.sources: dict[int, Source] = {}
        self.gone: deque[View] = deque()
        self.inbox: list[Letter] = []
        self.held: list[tuple[Any, int]] = []
        self.alive = True

    def send(self, value: Any, mark: int = 0) -> Letter:
        payload = self.encoder.encode(value)
        slots, frames = self.encoder.taken()
        assert not frames
        return Letter(self, payload, slots, mark, value.nbytes)

    def connect(self, sender: Process) -> None:
        if sender.number not in self.sources:
            self.sources[sender.number] = Source(Mapping(sender.arena.path), self.gone.append, self.views)

    def read(self, letter: Letter) -> Any:
        self.connect(letter.sender)
        body = join([letter.payload])
        return Decoder().values(body, self.sources[letter.sender.number], count=1)[0]

    def flush(self, owner: Process) -> None:
        self.views.end_leases()
        while self.gone:
            view = self.gone.popleft()
            owner.arena.returned(self.number, *view.ref, passed=view.passed)

    def die(self) -> None:
        """As the kernel does it: its locks go, whatever it looked at, and it says nothing."""
        self.alive = False
        for distant in self.views._arenas.values():
            whole_file = lease._FLOCK.pack(fcntl.F_UNLCK, 0, 0, 0, 0)
            fcntl.fcntl(distant.mapping.fd, lease._SET, whole_file)
            distant._held.clear()
            distant.let_go = lambda offset: None  # type: ignore[method-assign]
        self.inbox.clear()
        self.held.clear()
        self.sources.clear()

    def close(self) -> None:
        self.arena.close()


@pytest.fixture
def trio() -> Iterator[tuple[Process, Process, Process]]:
    """An owner, one who passes on, a reader."""
    with tempfile.TemporaryDirectory(prefix="pt-") as folder:
        owner, middle, reader = (Process(number, f"{folder}/{number}.arena") for number in (1, 2, 3))
        yield owner, middle, reader
        for process in (owner, middle, reader):
            process.close()


def sent(sender: Process, value: Any, receiver: Process) -> Any:
    """Sent and read; settled at once."""
    letter = sender.send(value)
    for slot in letter.slots:
        slot.lend(receiver.number)
        slot.drop()
    return receiver.read(letter)


class Parties(RuleBasedStateMachine):
    """An owner, three who read and pass on, messages that come late, deaths that are told of late."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="pt-")
        self.made = 0
        self.owner = self.process()
        self.others = [self.process() for _ in range(3)]
        self.open: list[tuple[Letter, Process]] = []
        """Read or not, and not settled at its sender."""

    def process(self) -> Process:
        self.made += 1
        return Process(self.made, f"{self.folder.name}/{self.made}.arena")

    def deliver(self, letter: Letter, receiver: Process) -> None:
        for slot in letter.slots:
            slot.lend(receiver.number)
        receiver.connect(letter.sender)
        receiver.inbox.append(letter)
        self.open.append((letter, receiver))

    def living(self) -> list[Process]:
        return [process for process in self.others if process.alive]

    @precondition(lambda self: self.living())
    @rule(data=st.data(), size=st.sampled_from([LARGE, 100 * KIB, 200 * KIB, 400 * KIB]))
    def the_owner_sends_an_array(self, data: st.DataObject, size: int) -> None:
        receiver = data.draw(st.sampled_from(self.living()))  # a draw may end it all: nothing before
        self.made += 1
        payload = self.owner.encoder.encode(np.full(size, self.made % 251, "u1"))
        slots, frames = self.owner.encoder.taken()
        if slots:
            letter = Letter(self.owner, payload, slots, self.made % 251, size)
            self.deliver(letter, receiver)
        else:
            assert frames, "there was no room"

    @precondition(lambda self: any(process.inbox for process in self.living()))
    @rule(data=st.data())
    def somebody_reads_what_came(self, data: st.DataObject) -> None:
        process = data.draw(st.sampled_from([each for each in self.living() if each.inbox]))
        letter = process.inbox.pop(data.draw(st.integers(0, len(process.inbox) - 1)))
        try:
            array = process.read(letter)
        except PeerError:
            assert not letter.sender.alive, "who passed it on lives, so it can be read"
        else:
            assert array.nbytes == letter.size
            assert not array.flags.writeable
            process.held.append((array, letter.mark))

    @precondition(lambda self: any(process.held for process in self.living()))
    @rule(data=st.data(), cut=st.sampled_from([0, 1, 5000, 40_000]))
    def somebody_passes_on_what_he_looks_at(self, data: st.DataObject, cut: int) -> None:
        process = data.draw(st.sampled_from([each for each in self.living() if each.held]))
        array, mark = data.draw(st.sampled_from(process.held))
        receiver = data.draw(st.sampled_from(self.living()))
        part = array[cut:] if array.nbytes - cut >= LARGE else array
        letter = process.send(part, mark)
        assert process.arena.used == 0, "nothing is copied"
        self.deliver(letter, receiver)

    @precondition(lambda self: any(process.held for process in self.living()))
    @rule(data=st.data())
    def somebody_looks_at_it_no_more(self, data: st.DataObject) -> None:
        process = data.draw(st.sampled_from([each for each in self.living() if each.held]))
        process.held.pop(data.draw(st.integers(0, len(process.held) - 1)))

    @precondition(lambda self: any(letter not in receiver.inbox for letter, receiver in self.open))
    @rule(data=st.data())
    def what_was_read_is_settled(self, data: st.DataObject) -> None:
        done = [each for each in self.open if each[0] not in each[1].inbox and each[1].alive]
        if done:
            entry = data.draw(st.sampled_from(done))
            self.let_go(entry)

    def let_go(self, entry: tuple[Letter, Process]) -> None:
        self.open.remove(entry)
        for slot in entry[0].slots:
            slot.drop()
        entry[0].slots = []

    @precondition(lambda self: self.living())
    @rule(data=st.data())
    def somebody_says_what_he_let_go_of(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.living())).flush(self.owner)

    @precondition(lambda self: self.living())
    @rule(data=st.data())
    def somebody_dies(self, data: st.DataObject) -> None:
        victim = data.draw(st.sampled_from(self.living()))
        victim.die()
        for entry in [entry for entry in self.open if entry[0].sender is victim]:
            self.open.remove(entry)
            entry[0].slots = []

    @precondition(lambda self: any(not process.alive for process in self.others))
    @rule()
    def a_death_is_told(self) -> None:
        victim = next(process for process in self.others if not process.alive)
        self.others.remove(victim)
        self.others.append(self.process())
        victim.close()
        self.owner.arena.forget(victim.number)
        for entry in [entry for entry in self.open if entry[1] is victim]:
            self.let_go(entry)

    @invariant()
    def what_somebody_looks_at_is_as_it_was_written(self) -> None:
        for process in self.living():
            for array, mark in process.held:
                assert (array[::499] == mark).all()

    def ask_for_all(self) -> None:
        for process in self.others:
            process.flush(self.owner)
        for _ in range(8):
            self.owner.arena.held()  # what others read is asked for now and then

    def teardown(self) -> None:
        while any(not process.alive for process in self.others):
            self.a_death_is_told()
        for process in self.others:
            for letter in process.inbox:
                with suppress(PeerError):
                    process.read(letter)
            process.inbox.clear()
            process.held.clear()
        while self.open:
            self.let_go(self.open[0])
        self.ask_for_all()
        if self.owner.arena.used:
            gc.collect()  # the frames of what was refused
            self.ask_for_all()
        assert self.owner.arena.used == 0, "all of it came back"
        for process in [self.owner, *self.others]:
            process.close()
        self.folder.cleanup()


TestParties = Parties.TestCase


def test_it_is_where_its_owner_wrote_it(trio: tuple[Process, Process, Process]) -> None:
    owner, middle, reader = trio
    array = np.arange(60_000.0).reshape(200, 300)
    came = sent(owner, array, middle)
    for part in (came, came[50:], came[50:100].reshape(-1), came.T, came.view("i8"), came[:, :][3:]):
        arrived = sent(middle, part, reader)
        assert arrived.dtype == part.dtype
        assert np.array_equal(arrived, part)
        assert arrived.flags.f_contiguous == part.flags.f_contiguous
        assert not arrived.flags.writeable
    assert middle.arena.used == 0
    assert owner.arena.used > 0


def test_a_part_that_is_not_in_one_piece_is_copied(trio: tuple[Process, Process, Process]) -> None:
    owner, middle, reader = trio
    came = sent(owner, np.arange(60_000.0).reshape(200, 300), middle)
    arrived = sent(middle, came[:, 10:], reader)
    assert np.array_equal(arrived, came[:, 10:])
    assert middle.arena.used > 0


def test_a_small_part_lies_in_the_message(trio: tuple[Process, Process, Process]) -> None:
    owner, middle, reader = trio
    came = sent(owner, np.arange(60_000.0), middle)
    letter = middle.send(came[:100])
    assert letter.slots == []
    assert np.array_equal(reader.read(letter), np.arange(100.0))


def test_it_can_be_read_when_its_owner_is_dead_and_the_file_is_gone(
    trio: tuple[Process, Process, Process],
) -> None:
    owner, middle, reader = trio
    came = sent(owner, np.arange(60_000.0), middle)
    letter = middle.send(came)
    owner.close()
    assert not os.path.exists(owner.arena.path)
    assert np.array_equal(reader.read(letter), came)


def test_its_slot_waits_for_a_reader_of_whom_its_owner_knows_nothing(
    trio: tuple[Process, Process, Process],
) -> None:
    owner, middle, reader = trio
    came = sent(owner, np.arange(60_000.0), middle)
    arrived = sent(middle, came, reader)
    del came
    middle.flush(owner)
    assert owner.arena.held() == {2: arrived.nbytes}
    assert owner.arena.passers == {2}
    del arrived
    reader.flush(owner)
    assert owner.arena.held() == {}
    assert owner.arena.used == 0


@pytest.mark.parametrize("lacking", ["locks", "descriptors that others may open"])
def test_where_the_kernel_lacks_what_it_takes_it_is_copied(
    trio: tuple[Process, Process, Process], monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    if lacking == "locks":
        monkeypatch.setattr(lease, "works", lambda fd: False)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: -1)
    owner, middle, reader = trio
    came = sent(owner, np.arange(60_000.0), middle)
    assert np.array_equal(sent(middle, came, reader), came)
    assert middle.arena.used > 0


def test_a_slot_is_claimed_by_its_owner_or_shared_by_readers_and_never_both(
    trio: tuple[Process, Process, Process],
) -> None:
    path = trio[0].arena.path
    owner = os.open(path, os.O_RDWR)
    one, two = os.open(path, os.O_RDONLY), os.open(path, os.O_RDONLY)
    try:
        assert lease.share(one, 64)
        assert lease.share(two, 64)
        assert lease.claim(owner, 128), "another slot"
        assert not lease.share(one, 128)
        lease.let_go(one, 64)
        assert not lease.claim(owner, 64)
        os.close(two)  # as its end does
        two = os.open(path, os.O_RDONLY)
        assert lease.claim(owner, 64)
    finally:
        for fd in (owner, one, two):
            os.close(fd)
