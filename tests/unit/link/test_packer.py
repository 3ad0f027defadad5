"""What goes to other hosts is packed as was agreed, over real sockets; within a host never."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from typing import Any

import numpy as np
import pytest

from penstock.link.packer import ThriftyPacker, Word
from penstock.message import head, packing
from tests.unit.link.test_far import collect, receiver
from tests.unit.link.wire import Receiving, Sending, until

BIG = 20_000


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def folder(stack: ExitStack) -> str:
    return stack.enter_context(tempfile.TemporaryDirectory(prefix="pt-"))


def ends(stack: ExitStack, folder: str, theirs: str, ours: str) -> tuple[Sending, Receiving, list[head.Head]]:
    """A sender, a receiver on another host, and the heads of what the receiver gets."""
    sending = stack.enter_context(closing(Sending(folder, listens=True, compress=theirs)))
    far = receiver(stack)
    far.reach(sending, compress=ours)
    heads: list[head.Head] = []
    dealer = next(iter(far.receiver.connections.values())).dealer._dealer
    inner = dealer.receive

    def receive() -> Any:
        frames = inner()
        if frames:
            heads.append(head.read(frames))
        return frames

    dealer.receive = receive
    return sending, far, heads


@pytest.mark.parametrize("way", packing.WAYS)
def test_arrays_and_small_items_arrive_whole_and_were_packed(way: str, folder: str, stack: ExitStack) -> None:
    sending, far, heads = ends(stack, folder, way, way)
    array, noise = np.arange(BIG), os.urandom(10_000)
    sending.put(array, {"again": array, "noise": noise}, "small", ["text"] * 5000)
    first, second, third, fourth = collect(sending, far, 4)
    assert (first == array).all()
    assert (second["again"] == array).all()
    assert (second["noise"], third, fourth) == (noise, "small", ["text"] * 5000)
    assert not first.flags.writeable
    assert {each.packing for each in heads if any(each.sizes)} == {way}
    until(lambda: sending.sender.idle, sending, far)
    assert sending.refused == far.refused == sending.notices == []


@pytest.mark.parametrize(("theirs", "ours"), [("lz4", ""), ("", "lz4"), ("lz4", "zstd")])
def test_what_one_end_cannot_do_is_not_done(theirs: str, ours: str, folder: str, stack: ExitStack) -> None:
    sending, far, heads = ends(stack, folder, theirs, ours)
    sending.put(np.zeros(BIG))
    assert not collect(sending, far, 1)[0].any()
    assert not any(each.sizes for each in heads)


def test_a_sender_without_the_library_says_so_once_and_sends_as_ever(
    folder: str, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "find", lambda way: None)
    sending, far, heads = ends(stack, folder, "zstd", "")
    other = receiver(stack, 11)
    other.reach(sending)
    sending.put(np.zeros(BIG))
    until(lambda: far.work() or other.work(), sending, far, other)
    (said,) = [each for each in sending.notices if "compress" in each]
    assert "what goes to work on other hosts: compress='zstd': zstandard is not installed for" in said
    assert not any(each.sizes for each in heads)


def test_within_a_host_nothing_is_packed(folder: str, stack: ExitStack) -> None:
    sending = stack.enter_context(closing(Sending(folder, listens=True, compress="lz4")))
    near = receiver(stack)
    near.connect(sending)
    sending.put(np.zeros(BIG))
    assert not collect(sending, near, 1)[0].any()
    assert not sending.sender._far._packers  # type: ignore[attr-defined]


def test_auto_measures_the_line_by_what_the_receiver_says_at_once(folder: str, stack: ExitStack) -> None:
    sending, far, heads = ends(stack, folder, "auto", "auto")
    for turn in range(12):
        sending.put(np.full(BIG, turn))
        assert int(collect(sending, far, 1)[0][-1]) == turn
    (packer,) = sending.sender._far._packers.values()  # type: ignore[attr-defined]
    assert packer.thrift._line.known
    assert {each.packing for each in heads if any(each.sizes)} >= {"lz4", "zstd"}
    assert sending.refused == far.refused == []


class Line(ThriftyPacker):
    """A line of so many bytes a second, and a processor that packs any message in 100 us."""

    def __init__(self, speed: float) -> None:
        super().__init__(["lz4", "zstd"], lambda: self.now)
        self.now = 0.0
        self.speed = speed

    def _packed(self, way: str, frames: Sequence[Any]) -> Word:
        self.now += 1e-4
        return super()._packed(way, frames)


@pytest.mark.parametrize(
    ("frame", "speed", "pays"),
    [(bytes(1 << 20), 1e7, True), (os.urandom(1 << 20), 1e7, False), (bytes(1 << 20), 1e12, False)],
    ids=["zeros on a slow line", "noise on a slow line", "zeros on a quick line"],
)
def test_auto_packs_zeros_on_a_slow_line_and_neither_noise_nor_on_a_quick_one(
    frame: bytes, speed: float, *, pays: bool
) -> None:
    line = Line(speed)
    for number in range(1, 21):
        word = line.pack([frame])
        line.said(number, word)
        line.now += len(word.frames[0]) / line.speed
        line.heard(number)
    assert (line.thrift.best() != "") is pays
