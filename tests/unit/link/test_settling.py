"""What is settled is settled from the front: so behind a floor all comes again, and before it nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from penstock.link.passage import Passage
from penstock.link.sequence import Span
from penstock.link.settling import Settling

BATCHES = st.lists(st.lists(st.integers(0, 40), min_size=1, max_size=4, unique=True), min_size=1, max_size=12)


@given(batches=BATCHES, order=st.randoms(use_true_random=False))
def test_no_batch_is_settled_before_all_that_stands_before_it_is_done(
    batches: list[list[int]], order: object
) -> None:
    settling = Settling(lambda root: (100,))
    for ids in batches:
        settling.open(ids, [Span("src/0", (id,), (id,)) for id in ids])
    left = list(range(len(batches)))
    order.shuffle(left)  # type: ignore[attr-defined]
    done: list[int] = []
    for number in left:
        settling.done(batches[number])
        done.append(number)
        ripe, floors = settling.ripe()
        open_ids = [id for other in range(len(batches)) if other not in done for id in batches[other]]
        floor = min([100, *open_ids])
        assert all(max(ids) < floor for ids in ripe)
        assert all(found[0] <= floor for found in floors.values())
    assert not settling.batches


@given(
    st.lists(st.tuples(st.sampled_from(["send", "put", "settle", "lose"]), st.integers(1, 2)), max_size=60)
)
def test_a_passed_id_is_settled_once_whoever_dies(moves: list[tuple[str, int]]) -> None:
    passage, parent = Passage(), object()
    out: dict[int, tuple[int, list[int]]] = {}
    put = settled = 0
    for move, receiver in [*moves, ("lose", 1), ("lose", 2), ("send", 3)]:
        if move == "put":
            passage.put(parent, "src/0", put)
            put += 1
        elif move == "send" and passage.gather():
            number, ids = passage.send(receiver)
            assert number < 0
            out[number] = (receiver, [first + n for _, first, count in ids for n in range(count)])
        elif move == "settle":
            for number in [number for number, (by, _) in out.items() if by == receiver]:
                assert not passage.settle(3 - receiver, number), "by who was never told"
                settled += sum(word.weight for word in passage.settle(receiver, number))
                del out[number]
        elif move == "lose":
            passage.lose(receiver)
            out = {number: entry for number, entry in out.items() if entry[0] != receiver}
    for number, (receiver, _) in out.items():
        settled += sum(word.weight for word in passage.settle(receiver, number))
    assert settled == put
    assert passage.empty


def test_neighbours_are_one_word() -> None:
    passage = Passage()
    for number in range(1000):
        passage.put(None, "src/0", number)
    passage.gather()
    assert passage.send(1) == (-1, [("src/0", 0, 1000)])
