from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from penstock.observe import page
from penstock.pipeline.plan import LinkPlan, Plan, RoutePlan, StagePlan
from penstock.pipeline.reference import Reference
from penstock.runtime.policy.action import Remains
from penstock.runtime.supervisor.account import Account, LinkCount, Reading, rows, total

CODE = Reference("/app", "app", "f")


def plan(*wires: tuple[str, str], routes: list[RoutePlan] | None = None) -> Plan:
    names = dict.fromkeys(name for wire in wires for name in wire)
    fed = {target for _, target in wires}
    stages = [StagePlan(name, "stage" if name in fed else "source", CODE) for name in names]
    return Plan("p", stages, [LinkPlan(at, *wire) for at, wire in enumerate(wires)], routes=routes or [])


CHAIN = plan(("make", "work"), ("work", "save"))


def words(sent: int = 0, settled: int = 0, dead: int = 0, **others: int) -> list[int]:
    found = [0] * page.STRIDE
    found[page.SENT], found[page.SETTLED], found[page.DEAD] = sent, settled, dead
    for name, value in others.items():
        found[getattr(page, name.upper())] = value
    return found


def test_what_a_living_sender_has_not_settled_is_in_flight() -> None:
    counts = Account(CHAIN).balance([Reading("make", [words(10, 6, 1, waiting=3)])])
    assert counts[0] == LinkCount(sent=10, settled=6, dead=1, in_flight=3, waiting=3)


def test_what_was_dropped_is_not_in_flight_and_came_from_nobody_else() -> None:
    counts = Account(CHAIN).balance([
        Reading("make", [words(100, 6, 1, dropped_full=90)]),
        Reading("work", [words(6, 1, 0, dropped_full=4, dropped_too_old=1), words()]),
    ])  # fmt: skip
    assert counts[0] == LinkCount(sent=100, settled=6, dead=1, dropped_full=90, in_flight=3)
    totals = total(CHAIN, counts)
    assert tuple(totals) == (100, 1, 3, 0, 0, 1, 94, 1)
    assert totals.entered == sum(totals[1:])


def test_receivers_tell_what_they_hold() -> None:
    held = words()
    held[page.HELD] = 4
    assert Account(CHAIN).balance([Reading("work", [words(), held])])[0].held == 4


def test_what_found_no_partner_is_told_by_the_receiver_also_when_it_is_dead() -> None:
    account = Account(CHAIN)
    account.keep(Reading("work", [words(), words(unmatched=2)]), Remains.GIVEN_BACK)
    counts = account.balance([Reading("work", [words(), words(unmatched=3)])])
    assert counts[0].unmatched == 5
    assert counts[0].held == 0


def test_a_link_says_how_many_of_its_senders_went_with_their_host_and_so_count_less_than_they_did() -> None:
    account = Account(CHAIN)
    account.keep(Reading("work", [words(7, 6), words()]), Remains.GIVEN_BACK, unheard=True)
    account.keep(Reading("work", [words(9, 9), words()]), Remains.NONE)
    counts = account.balance([Reading("make", [words(20, 20)])])
    assert counts[1] == LinkCount(sent=16, settled=15, given_back=1, senders_lost=1)
    assert counts[0].senders_lost == 0
    assert total(CHAIN, counts).through == 20


def test_what_is_dropped_twice_because_it_came_again_cannot_be_more_than_there_was() -> None:
    counts = {0: LinkCount(sent=10, settled=10), 1: LinkCount(sent=19, settled=4, dropped_full=15)}
    totals = total(CHAIN, counts)
    assert (totals.entered, totals.through, totals.dropped_full) == (10, 0, 10)


def test_a_dropped_part_of_an_item_does_not_take_the_whole_item() -> None:
    counts = {0: LinkCount(sent=10, settled=10), 1: LinkCount(sent=1000, settled=985, dropped_too_old=15)}
    totals = total(CHAIN, counts)
    assert (totals.through, totals.dropped_too_old) == (10, 0)


def test_the_rest_of_a_sender_that_ended_gets_its_name() -> None:
    account = Account(CHAIN)
    account.keep(Reading("make", [words(10, 10)]), Remains.NONE)
    account.keep(Reading("make", [words(10, 7)]), Remains.UNFINISHED)
    account.keep(Reading("work", [words(9, 5), words()]), Remains.GIVEN_BACK)
    counts = account.balance([])
    assert counts[0] == LinkCount(sent=20, settled=17, unfinished=3)
    assert counts[1] == LinkCount(sent=9, settled=5, given_back=4)


def test_a_dead_letter_that_was_put_back_has_entered_once_more() -> None:
    """Ten were made; two died behind the first stage and were put back: one is through, one out or dead."""
    made = Reading("make", [words(10, 10)])
    for counts, expected in (
        (words(12, 9, 2, requeued=2, returning=1), (12, 9, 2, 1)),
        (words(12, 9, 3, requeued=2), (12, 9, 3, 0)),
    ):
        totals = total(CHAIN, Account(CHAIN).balance([made, Reading("work", [counts, words()])]))
        assert (totals.entered, totals.through, totals.dead, totals.in_flight) == expected


def test_what_is_put_back_counts_also_where_nothing_else_flows() -> None:
    counts = Account(CHAIN).balance([Reading("work", [words(1, 1, requeued=1), words()])])
    assert total(CHAIN, counts)[:2] == (1, 1)


def test_what_a_dead_worker_had_put_back_counts_with_who_sends_it_next() -> None:
    account = Account(CHAIN)
    account.keep(Reading("work", [words(7, 3, 1, requeued=2, returning=1), words()]), Remains.GIVEN_BACK)
    assert account.balance([])[1] == LinkCount(sent=6, settled=3, dead=1, given_back=2, requeued=1)


def test_a_sender_that_finished_owing_something_has_lost_it() -> None:
    account = Account(CHAIN)
    account.keep(Reading("make", [words(10, 9)]), Remains.NONE)
    assert total(CHAIN, account.balance([])).lost == 1


def test_a_worker_that_died_before_it_had_a_page_counts_for_nothing() -> None:
    account = Account(CHAIN)
    account.keep(Reading("make", ()), Remains.GIVEN_BACK)
    assert account.balance([Reading("work", ())])[0] == LinkCount()


@given(st.lists(st.tuples(*[st.integers(0, 99)] * 5, st.sampled_from([*Remains, None])), max_size=6))
def test_every_link_adds_up_at_any_time(
    workers: list[tuple[int, int, int, int, int, Remains | None]],
) -> None:
    account, living = Account(CHAIN), []
    for rest, settled, dead, full, too_old, remains in workers:
        sent = rest + settled + dead + full + too_old
        counted = words(sent, settled, dead, dropped_full=full, dropped_too_old=too_old)
        reading = Reading("make", [counted])
        if remains is None:
            living.append(reading)
        else:
            account.keep(reading, remains)
    count = account.balance(living)[0]
    known = count.settled + count.dead + count.dropped_full + count.dropped_too_old + count.in_flight
    assert count.sent == known + count.given_back + count.unfinished + count.lost


def test_in_and_out_are_counted_at_the_source() -> None:
    counts = {0: LinkCount(sent=10, settled=9, in_flight=1), 1: LinkCount(sent=9, settled=9)}
    totals = total(CHAIN, counts)
    assert (totals.entered, totals.through, totals.in_flight) == (10, 9, 1)


def test_an_item_that_dies_at_the_last_stage_did_not_come_out() -> None:
    counts = {0: LinkCount(sent=10, settled=10), 1: LinkCount(sent=10, settled=8, dead=2)}
    totals = total(CHAIN, counts)
    assert (totals.entered, totals.through, totals.dead) == (10, 8, 2)


def test_a_dead_part_of_an_item_does_not_take_the_whole_item() -> None:
    counts = {0: LinkCount(sent=10, settled=10), 1: LinkCount(sent=1000, settled=985, dead=15)}
    assert total(CHAIN, counts).through == 10


def test_what_a_dead_source_makes_again_is_counted_once() -> None:
    counts = {0: LinkCount(sent=25, settled=20, given_back=5), 1: LinkCount()}
    totals = total(CHAIN, counts)
    assert (totals.entered, totals.through) == (20, 20)


def test_copies_of_an_item_are_one_item() -> None:
    fork = plan(("make", "a"), ("make", "b"))
    counts = {0: LinkCount(sent=10, settled=10), 1: LinkCount(sent=10, settled=4, in_flight=6)}
    totals = total(fork, counts)
    assert (totals.entered, totals.through, totals.in_flight) == (10, 4, 6)


def test_ways_of_a_route_add_up() -> None:
    fork = plan(("make", "a"), ("make", "b"), routes=[RoutePlan("kind", [0, 1])])
    counts = {0: LinkCount(sent=7, settled=7), 1: LinkCount(sent=3, settled=3)}
    assert total(fork, counts).through == 10


def test_rows_name_the_links_as_people_do() -> None:
    assert rows(CHAIN, Account(CHAIN).balance([]))[0]["link"] == "make→work"
