"""Connections of calls within a host: what is large, what is refused, who does not read, who dies."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import gc
import os
import resource
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from penstock.errors import PeerError
from penstock.link import callpeer, crate, near
from penstock.link.ear import Ear

LARGE = np.arange(100_000, dtype=np.uint8)


class Ends:
    """A caller and a replica in one process."""

    def __init__(self, path: Path) -> None:
        self.ear = Ear({})
        self.heard: list[tuple[str, bytes, list[bytes]]] = []
        self.ends: list[tuple[str, PeerError | None]] = []
        self.come: list[callpeer.CallPeer] = []
        self.door = callpeer.listen(f"unix://{path / 'door'}", self.ear, self._greet)
        self.caller = self._listening("caller", callpeer.connect(f"unix://{path / 'door'}", self.ear))
        self.turn()
        self.replica = self.come[0]

    def _greet(self, who: callpeer.CallPeer) -> None:
        self.come.append(self._listening("replica", who))

    def _listening(self, name: str, who: callpeer.CallPeer) -> callpeer.CallPeer:
        def hear(word: Any, frames: Any) -> None:
            self.heard.append((name, bytes(word), [bytes(each) for each in frames]))

        who.heard = hear
        who.gone = lambda error: self.ends.append((name, error))
        return who

    def turn(self) -> None:
        while self.ear.turn(0):
            pass

    def told(self) -> list[tuple[str, bytes, list[bytes]]]:
        self.turn()
        found, self.heard = self.heard, []
        return found


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[Ends]:
    crate.stock.__init__()  # type: ignore[misc]  # what other tests have left
    gc.collect()  # and that
    before = len(os.listdir("/proc/self/fd"))
    both = Ends(tmp_path)
    yield both
    for each in (both.caller, *both.come):
        each.close()
    both.door.close()
    both.ear.close()
    both.ends.clear()  # where they were raised, crates are in hand
    kept = sum(1 + bool(each.size) for each in crate.stock._crates)  # a map has a descriptor, too
    assert len(os.listdir("/proc/self/fd")) == before + kept, "a descriptor is left"


def test_large_parts_go_in_one_crate_there_and_back_and_the_next_call_has_it_again(ends: Ends) -> None:
    for call in (1, 2, 3):
        ends.caller.send(b"call", [LARGE, LARGE[:70_000]], call)
        assert ends.told() == [("replica", b"call", [bytes(LARGE), bytes(LARGE[:70_000])])]
        assert not crate.stock._crates
        ends.replica.send(b"answer", [LARGE] if call == 1 else [], call)
        assert ends.told() == [("caller", b"answer", [bytes(LARGE)] if call == 1 else [])]
        assert len(crate.stock._crates) == 1


def test_a_large_word_does_so_too_and_a_large_answer_brings_its_own_crate_once(ends: Ends) -> None:
    word = b"w" * 200_000
    ends.caller.send(b"small", (), 1)
    assert ends.told() == [("replica", b"small", [])]
    ends.replica.send(word, [LARGE], 1)
    assert ends.told() == [("caller", word, [bytes(LARGE)])]
    for call in (2, 3):
        ends.caller.send(b"small", (), call)
        assert not crate.stock._crates, "it was not lent for the answer"
        ends.turn()
        ends.replica.send(word, (), call)
        assert ends.told()[-1] == ("caller", word, [])
    assert len(crate.stock._crates) == 1


def test_who_does_not_read_holds_nobody_up_and_gets_all_in_order(ends: Ends) -> None:
    words = [b"%d" % number * 2000 for number in range(300)]
    for word in words:
        assert ends.caller.send(word)
    ends.caller.send(b"last", [LARGE], 7)
    assert ends.told() == [*(("replica", word, []) for word in words), ("replica", b"last", [bytes(LARGE)])]


def test_what_was_said_before_a_death_is_heard_and_then_the_death(ends: Ends) -> None:
    ends.caller.send(b"unread")
    ends.replica.send(b"one")
    ends.replica.send(b"two", [LARGE], 1)
    ends.replica.close()
    ends.turn()
    assert [word for _, word, _ in ends.heard] == [b"one", b"two"]
    assert ends.ends == [("caller", None)]
    assert not ends.caller.send(b"more") and not ends.caller.take()


@pytest.mark.parametrize(
    ("packet", "files", "why"),
    [
        (b"\xc1nonsense", 1, "not a head of freight"),
        (b"word", 1, "a word that needs none"),
        (b"\xc1" + near._pack(near.Freight(1, [10], b"w")), 0, "without a crate"),
        (b"\xc1" + near._pack(near.Freight(1, [10], b"w")), 3, "does not hold what"),
        (b"\xc1" + near._pack(near.Freight(1, [], b"")), 1, "without a word"),
        (b"\xc1" + near._pack(near.Freight(1, [1], b"w")), -1, "no crate"),
        (b"\xc1" + near._pack(near.Freight(1, [1], b"w")), -2, "cannot be mapped"),
    ],
)
def test_what_is_none_of_the_protocol_ends_the_connection_and_leaves_no_descriptor(
    ends: Ends, tmp_path: Path, packet: bytes, files: int, why: str
) -> None:
    crates = [crate.made() for _ in range(files)]
    pipe = os.pipe() if files == -1 else [_sealed()] if files == -2 else ()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stranger:
        stranger.connect(str(tmp_path / "door"))
        socket.send_fds(stranger, [packet], [*(each.fd for each in crates), *pipe])
        ends.turn()
        assert [name for name, _ in ends.ends] == ["replica"] and why in str(ends.ends[0][1])
        assert stranger.recv(10) == b""
    for each in pipe:
        os.close(each)


def _sealed() -> int:
    """A crate into which nobody may write."""
    file = os.memfd_create("sealed", os.MFD_ALLOW_SEALING)
    os.ftruncate(file, 1000)
    fcntl.fcntl(file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_WRITE)
    return file


def test_who_takes_nothing_is_hung_up_on_after_the_answer_in_hand(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near, "MOST_UNSENT", 10)
    while ends.replica.send(b"answer" * 1000):
        pass
    assert not ends.ends and not ends.replica.send(b"another")
    ends.replica.take()
    assert [(name, str(error)) for name, error in ends.ends] == [("replica", "it takes no answers")]


def test_more_arrays_than_a_packet_can_name_are_refused_where_they_are(ends: Ends) -> None:
    with pytest.raises(OSError, match="70,000 large arrays are too many"):
        ends.caller.send(b"word", [b""] * 70_000, 1)
    assert ends.caller.send(b"on") and ends.told() == [("replica", b"on", [])]


@contextlib.contextmanager
def no_descriptors() -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = [os.dup(0)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (taken[0] + 1, limits[1]))
    try:
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.dup(0))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for each in taken:
            os.close(each)


def test_without_descriptors_who_comes_is_turned_away(ends: Ends, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stranger:
        stranger.connect(str(tmp_path / "door"))
        with no_descriptors():
            ends.turn()
        assert stranger.recv(10) == b"" and "Too many open files" in str(ends.ends[-1][1])
    assert ends.caller.send(b"on") and ends.told() == [("replica", b"on", [])]


def test_a_crate_for_which_there_is_no_descriptor_is_named_as_that(ends: Ends) -> None:
    ends.caller.send(b"word", [LARGE], 1)
    with no_descriptors():
        ends.turn()
    assert "has no descriptor left for the arrays" in str(ends.ends[0][1])


def test_a_python_of_an_older_system_makes_crates_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create")
    assert len(crate.made().token()) == crate.TOKEN


def test_memory_is_used_again_when_nobody_looks_at_it(ends: Ends) -> None:
    kept: list[Any] = []
    # What a decoder makes of it, and a part of that, as user code keeps it.
    ends.replica.heard = lambda word, frames: kept.append(
        np.ndarray(LARGE.shape, np.uint8, memoryview(frames[0]))[:].view("i1")
    )
    addresses = []
    for call in (1, 2, 3):
        ends.caller.send(b"call", [LARGE + call], call)
        ends.turn()
        addresses.append(kept[-1].ctypes.data)
        if call == 2:
            kept.clear()
    assert len(set(addresses)) == 2 and (kept[-1].view("u1") == LARGE + 3).all()


def test_an_answer_without_room_leaves_the_crate_for_the_word_that_says_so(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(fd: int, at: int, size: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    ends.caller.send(b"call", [LARGE], 1)
    ends.turn()
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="full"):
        ends.replica.send(b"answer", [LARGE, LARGE], 1)
    ends.replica.send(b"no room", (), 1)
    assert ends.told()[-1] == ("caller", b"no room", [])
    assert len(crate.stock._crates) == 1


def test_a_child_has_no_crate_of_its_parent() -> None:
    crate.stock.give(crate.made())
    if not (child := os.fork()):
        os._exit(len(crate.stock._crates))
    assert os.waitpid(child, 0)[1] == 0
