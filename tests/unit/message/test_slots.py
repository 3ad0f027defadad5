"""The allocator of an arena: what is given out is nobody else's, and what comes back can be had again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from penstock.message.slots import SMALLEST, Slots

SIZES = st.one_of(
    st.sampled_from([0, 1, SMALLEST - 1, SMALLEST, SMALLEST + 1, 2 * SMALLEST, 5 * SMALLEST, 1 << 40]),
    st.integers(1, 20 * SMALLEST),
)


class Blocks(RuleBasedStateMachine):
    """Blocks taken and given back in any order, beside a plain account of who has what."""

    def __init__(self) -> None:
        super().__init__()
        self.slots = Slots(0)
        self.taken: dict[int, int] = {}

    @initialize(capacity=st.integers(0, 40 * SMALLEST))
    def an_arena_of_some_size(self, capacity: int) -> None:
        self.slots = Slots(capacity)
        assert self.slots.capacity == capacity - capacity % SMALLEST

    @rule(nbytes=SIZES)
    def a_block_is_taken(self, nbytes: int) -> None:
        used = self.slots.used
        offset = self.slots.take(nbytes)
        if offset is None:
            assert self.slots.used == used
            assert not self.has_room_for(nbytes)
            return
        self.taken[offset] = self.slots.used - used
        assert self.taken[offset] >= max(nbytes, SMALLEST)
        assert offset % self.taken[offset] == 0, "a block is aligned to its size"

    def has_room_for(self, nbytes: int) -> bool:
        """Whether a whole buddy of that size lies free."""
        size = SMALLEST
        while size < nbytes:
            size *= 2
        blocks: list[int] = []
        at, rest = 0, self.slots.capacity
        while rest:
            whole = 1 << (rest.bit_length() - 1)
            blocks += range(at, at + whole, size) if whole >= size else []
            at, rest = at + whole, rest - whole
        held = [(offset, offset + length) for offset, length in self.taken.items()]
        return any(all(end <= block or block + size <= start for start, end in held) for block in blocks)

    @precondition(lambda self: self.taken)
    @rule(data=st.data())
    def a_block_is_given_back(self, data: st.DataObject) -> None:
        offset = data.draw(st.sampled_from(sorted(self.taken)))
        del self.taken[offset]
        self.slots.give(offset)

    @rule(offset=st.sampled_from([1, 64, 7 * SMALLEST]))
    def a_block_that_nobody_has_cannot_be_given_back(self, offset: int) -> None:
        if offset not in self.taken:
            with pytest.raises(KeyError):
                self.slots.give(offset)

    @invariant()
    def every_byte_is_in_exactly_one_block(self) -> None:
        blocks = sorted([*self.taken.items(), *self.slots.free()])
        at = 0
        for offset, size in blocks:
            assert offset == at
            at += size
        assert at == self.slots.capacity

    @invariant()
    def it_knows_how_much_is_taken(self) -> None:
        assert self.slots.used == sum(self.taken.values())


TestBlocks = Blocks.TestCase


@given(capacity=st.integers(0, 64 * SMALLEST), sizes=st.lists(SIZES, max_size=30))
def test_what_was_cut_to_pieces_is_whole_again_once_all_is_free(capacity: int, sizes: list[int]) -> None:
    slots = Slots(capacity)
    taken = [offset for size in sizes if (offset := slots.take(size)) is not None]
    for offset in taken:
        slots.give(offset)
    if slots.capacity:
        largest = 1 << (slots.capacity.bit_length() - 1)
        assert slots.take(largest) is not None


def test_the_block_freed_last_is_handed_out_first() -> None:
    slots = Slots(8 * SMALLEST)
    offsets = [slots.take(SMALLEST) for _ in range(8)]
    for offset in offsets[2:5]:
        assert offset is not None
        slots.give(offset)
    assert slots.take(SMALLEST) == offsets[4]
