"""Shared memory: a slot is nobody else's while anybody counts on it, and running out is never a crash."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from penstock.errors import PeerError
from penstock.message.arena import HEADER, Arena, Mapping, Slot, slot_header

MIB = 1 << 20
KIB = 1 << 10


@pytest.fixture
def folder() -> Iterator[str]:
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="pt-", dir=memory) as path:
        yield path


@pytest.fixture
def arena(folder: str) -> Iterator[Arena]:
    arena = Arena(f"{folder}/1.arena", 4 * MIB)
    yield arena
    arena.close()


@pytest.fixture
def small_memory() -> Iterator[str]:
    """A tmpfs of one MiB."""
    with tempfile.TemporaryDirectory(prefix="pt-") as path:
        mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", path]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("mounting a tmpfs takes root")
        try:
            yield path
        finally:
            subprocess.run(["umount", "--lazy", path], check=True)


class Holders(RuleBasedStateMachine):
    """Slots counted on by the ledger, by arrays and by receivers that say RELEASE, die, or talk nonsense."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="pt-")
        self.arena = Arena(f"{self.folder.name}/1.arena", MIB)
        self.made = 0
        self.marks: dict[Slot, bytes] = {}
        self.own: Counter[Slot] = Counter()
        self.lent: Counter[tuple[Slot, int]] = Counter()
        self.later: list[Slot] = []

    def living(self) -> list[Slot]:
        """Slots that somebody counts on."""
        counted = {slot for slot, n in self.own.items() if n} | {
            slot for (slot, _), n in self.lent.items() if n
        }
        return sorted(counted, key=lambda slot: slot.generation)

    @rule(size=st.sampled_from([1, 64 * KIB, 128 * KIB, 300 * KIB, 2 * MIB]))
    def a_slot_is_taken(self, size: int) -> None:
        slot = self.arena.take(size)
        self.collect()
        if slot is not None:
            self.made += 1
            mark = b"%08d" % self.made
            self.arena.map[slot.offset : slot.offset + size] = mark * (size // 8) + mark[: size % 8]
            self.marks[slot] = mark
            self.own[slot] = 1

    @precondition(lambda self: self.living())
    @rule(data=st.data(), times=st.integers(1, 2))
    def somebody_here_counts_on_it_too(self, data: st.DataObject, times: int) -> None:
        slot = data.draw(st.sampled_from(self.living()))
        for _ in range(times):
            self.arena.keep(slot)
            self.own[slot] += 1

    @precondition(lambda self: any(self.own.values()))
    @rule(data=st.data(), later=st.booleans())
    def somebody_here_counts_on_it_no_more(self, data: st.DataObject, later: bool) -> None:
        slot = data.draw(st.sampled_from([slot for slot in self.living() if self.own[slot]]))
        if later and self.own[slot] > self.later.count(slot):
            self.arena.drop_later(slot)
            self.later.append(slot)
        elif self.own[slot] > self.later.count(slot):
            self.arena.drop(slot)
            self.own[slot] -= 1

    def collect(self) -> None:
        """What is dropped later has been dropped by now."""
        self.own.subtract(self.later)
        self.later.clear()

    @precondition(lambda self: self.living())
    @rule(data=st.data(), holder=st.integers(1, 3))
    def a_receiver_is_sent_it(self, data: st.DataObject, holder: int) -> None:
        slot = data.draw(st.sampled_from(self.living()))
        self.arena.lend(slot, holder)
        self.lent[slot, holder] += 1

    @precondition(lambda self: any(self.lent.values()))
    @rule(data=st.data())
    def a_receiver_gives_it_back(self, data: st.DataObject) -> None:
        slot, holder = data.draw(st.sampled_from([key for key, n in self.lent.items() if n]))
        self.arena.returned(holder, slot.offset, slot.generation)
        self.lent[slot, holder] -= 1

    @rule(
        holder=st.integers(1, 4),
        offset=st.sampled_from([0, HEADER, 128 * KIB + HEADER]),
        generation=st.integers(0, 9),
    )
    def a_receiver_gives_back_what_it_has_not(self, holder: int, offset: int, generation: int) -> None:
        for (slot, lent_to), times in self.lent.items():
            if times and (lent_to, slot.offset, slot.generation) == (holder, offset, generation):
                return
        self.arena.returned(holder, offset, generation)

    @rule(holder=st.integers(1, 3))
    def a_receiver_dies(self, holder: int) -> None:
        self.arena.forget(holder)
        for slot, lent_to in list(self.lent):
            if lent_to == holder:
                del self.lent[slot, lent_to]

    @invariant()
    def what_somebody_counts_on_is_as_it_was_written(self) -> None:
        for slot in self.living():
            assert slot_header(self.arena.map, slot.offset) == (slot.generation, slot.size)
            mark = self.marks[slot]
            assert self.arena.map[slot.offset : slot.offset + 8][: slot.size] == mark[: slot.size]
            end = slot.offset + slot.size // 8 * 8
            assert slot.size < 8 or self.arena.map[end - 8 : end] == mark

    @invariant()
    def what_nobody_counts_on_is_free(self) -> None:
        assert (self.arena.used == 0) == (not self.living())

    @invariant()
    def it_knows_what_receivers_alone_keep(self) -> None:
        held = self.arena.held()
        self.collect()
        kept: Counter[int] = Counter()
        for (slot, holder), times in self.lent.items():
            kept[holder] += slot.size if times and not self.own[slot] else 0
        assert held == dict(+kept)

    def teardown(self) -> None:
        self.arena.close()
        self.arena.map.close()
        self.folder.cleanup()


TestHolders = Holders.TestCase


# ------------------------------------------------------------------------------------- the reading side


def test_a_descriptor_that_tells_the_truth_is_believed(arena: Arena) -> None:
    slot = arena.take(100_000)
    assert slot is not None
    Mapping(arena.path).check(slot.offset, slot.generation, 100_000)
    Mapping(arena.path).check(slot.offset, slot.generation, 1)


def test_a_slot_that_was_given_away_is_refused_by_its_generation(arena: Arena) -> None:
    first = arena.take(100_000)
    assert first is not None
    arena.drop(first)
    second = arena.take(100_000)
    assert second is not None and second.offset == first.offset
    away = f"generation {first.generation + 1}, not {first.generation}: it was given away"
    with pytest.raises(PeerError, match=away):
        Mapping(arena.path).check(first.offset, first.generation, 100_000)


@pytest.mark.parametrize("offset", [-1, 0, HEADER - 1, 4 * MIB, 4 * MIB - 10, 1 << 70])
def test_a_descriptor_outside_the_arena_is_refused(arena: Arena, offset: int) -> None:
    with pytest.raises(PeerError, match="outside its arena"):
        Mapping(arena.path).check(offset, 0, 100)


def test_a_descriptor_of_more_than_its_slot_is_refused(arena: Arena) -> None:
    slot = arena.take(100_000)
    assert slot is not None
    with pytest.raises(PeerError):
        Mapping(arena.path).check(slot.offset, slot.generation, 100_001)


def test_what_is_mapped_for_reading_cannot_be_written(arena: Arena) -> None:
    with pytest.raises(TypeError):
        Mapping(arena.path).map[100] = 1


OWNER = """
import sys
from penstock.message.arena import Arena
arena = Arena(sys.argv[1], 1 << 20)
slot = arena.take(200_000)
arena.map[slot.offset : slot.offset + 200_000] = b"penstock" * 25_000
print(slot.offset, slot.generation, flush=True)
sys.stdin.read()
"""


def test_a_view_outlives_the_process_that_wrote_it(folder: str) -> None:
    path = f"{folder}/9.arena"
    command = [sys.executable, "-c", OWNER, path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        offset, generation = map(int, owner.stdout.readline().split())
        mapping = Mapping(path)
        owner.send_signal(signal.SIGKILL)
        owner.wait()
    os.unlink(path)  # as the supervisor sweeps
    mapping.check(offset, generation, 200_000)
    assert mapping.map[offset : offset + 200_000] == b"penstock" * 25_000


# --------------------------------------------------------------------------------------- running out


def test_an_arena_of_nothing_never_has_room(tmp_path: Path) -> None:
    arena = Arena(f"{tmp_path}/1.arena", 0)
    assert arena.path == ""
    assert arena.take(1) is None
    arena.close()
    assert list(tmp_path.iterdir()) == []


def test_a_full_arena_has_no_room_until_something_is_dropped(arena: Arena) -> None:
    slots = [arena.take(MIB - HEADER) for _ in range(4)]
    assert arena.take(1) is None
    assert slots[2] is not None
    arena.drop(slots[2])
    assert arena.take(1) is not None


def test_full_memory_is_an_answer_and_no_bus_error(small_memory: str) -> None:
    arena = Arena(f"{small_memory}/1.arena", 64 * MIB)
    slots: list[Slot] = []
    while (slot := arena.take(200 * KIB)) is not None:
        arena.map[slot.offset : slot.offset + slot.size] = b"." * slot.size
        slots.append(slot)
    assert len(slots) == 5
    assert arena.used == 5 * 256 * KIB, "what could not be backed was given back"
    for slot in slots:
        arena.drop(slot)
    large = arena.take(900 * KIB)
    assert large is not None, "memory behind free slots is let go for one that wants it"
    arena.map[large.offset : large.offset + large.size] = b"!" * large.size
    arena.close()


def test_memory_that_was_let_go_is_reserved_again_before_it_is_written(small_memory: str) -> None:
    arena = Arena(f"{small_memory}/1.arena", 64 * MIB)
    small = arena.take(500 * KIB)
    assert small is not None
    arena.drop(small)
    large = arena.take(900 * KIB)
    assert large is not None
    assert arena.take(500 * KIB) is None, "its block is free, and there is no memory behind it"
    arena.drop(large)
    again = arena.take(500 * KIB)
    assert again is not None
    arena.map[again.offset : again.offset + again.size] = b"?" * again.size
    arena.close()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.ENOMEM, errno.EDQUOT])
def test_without_blocks_to_reserve_there_is_no_room(
    arena: Arena, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def full(fd: int, offset: int, size: int) -> None:
        raise OSError(code, os.strerror(code))

    before = arena.take(100_000)
    assert before is not None
    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", full)
        assert arena.take(2 * MIB) is None
    Mapping(arena.path).check(before.offset, before.generation, before.size)
    assert arena.used == 128 * KIB
    assert arena.take(MIB) is not None


def test_another_trouble_is_not_taken_for_a_full_disk(arena: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(fd: int, offset: int, size: int) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "posix_fallocate", broken)
    with pytest.raises(OSError, match="broken"):
        arena.take(1)


def test_closing_twice_is_fine_and_leaves_nothing(folder: str) -> None:
    arena = Arena(f"{folder}/1.arena", MIB)
    arena.close()
    arena.close()
    assert os.listdir(folder) == []


def test_a_file_that_is_there_already_is_not_taken_over(folder: str) -> None:
    Path(folder, "1.arena").touch()
    with pytest.raises(FileExistsError):
        Arena(f"{folder}/1.arena", MIB)


def test_an_arena_is_only_for_its_owner(arena: Arena) -> None:
    assert os.stat(arena.path).st_mode & 0o077 == 0
