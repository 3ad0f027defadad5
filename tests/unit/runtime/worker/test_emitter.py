"""From a value to the outboxes: all links have what they should, and a slot is counted once for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from penstock.errors import UnsupportedType, WiringError
from penstock.link import affinity
from penstock.link.keyed import KeyedLink
from penstock.link.ledger import Cargo
from penstock.link.link import Link
from penstock.message.arena import Arena
from penstock.message.codec import Decoder, Encoder, join
from penstock.runtime.worker.chooser import Key
from penstock.runtime.worker.emitter import Emitter, Port, Route

LARGE = np.ones(100_000)


class Target:
    """What ``route(by=...)`` may answer: a stage, by its name."""

    def __init__(self, name: str) -> None:
        self.name = name


class Desk:
    """An emitter with these ports, and what it has put."""

    def __init__(self, folder: Path) -> None:
        self.arena = Arena(f"{folder}/1.arena", 1 << 22)
        self.links = {name: Link(id=n, target=name, max_failures=3, word=0) for n, name in enumerate("abc")}
        self.spilled: list[int] = []
        self.ports: dict[str, Port] = {}

    def emitter(self) -> Emitter:
        return Emitter(encoder=Encoder(self.arena), ports=self.ports, on_spill=self.spilled.append)

    def copies(self, port: str, *names: str) -> None:
        self.ports.setdefault(port, Port()).copies += [self.links[name] for name in names]

    def route(self, port: str, by: Any, *names: str) -> None:
        self.ports.setdefault(port, Port()).routes.append(Route(by, [self.links[name] for name in names]))

    def taken(self, name: str) -> list[tuple[str, int, Any]]:
        """Origin, number and value of what waits for that link."""
        outbox, found = self.links[name].outbox, []
        while outbox.waiting:
            cargo: Cargo = outbox.take(100, 1 << 30)
            if cargo.slots is None and not cargo.frames:
                values = Decoder().values(join(cargo.payloads))
            else:
                values = [None] * len(cargo)
            runs = [cargo.run_at(place) for place in range(len(cargo))]
            found += [(run.origin, run.first, value) for run, value in zip(runs, values, strict=True)]
        return found


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.arena.close()


def test_a_copy_goes_to_every_link(desk: Desk) -> None:
    desk.copies("", "a", "b")
    desk.emitter().out({"x": 1}, None, "src/0", 7)
    assert desk.taken("a") == desk.taken("b") == [("src/0", 7, {"x": 1})]
    assert desk.taken("c") == []


def test_a_route_is_one_of_its_links(desk: Desk) -> None:
    desk.copies("", "a")
    desk.route("", lambda value: Target("c") if value > 1 else 0, "b", "c")
    emitter = desk.emitter()
    for number in range(4):
        emitter.out(number, None, "src/0", number)
    assert [number for _, number, _ in desk.taken("a")] == [0, 1, 2, 3]
    assert [number for _, number, _ in desk.taken("b")] == [0, 1]
    assert [number for _, number, _ in desk.taken("c")] == [2, 3]


@pytest.mark.parametrize("value", [{"to": "b"}, Target("b")], ids=["key", "attribute"])
def test_a_route_may_be_named_by_a_key_or_an_attribute(desk: Desk, value: Any) -> None:
    route = Route("to" if isinstance(value, dict) else "name", list(desk.links.values()))
    assert route.choose(value) is desk.links["b"]


@pytest.mark.parametrize("answer", [None, True, 3, -1, "d", 1.0, ["a"]])
def test_a_route_to_nowhere_names_the_targets(desk: Desk, answer: Any) -> None:
    desk.route("", lambda _: answer, "a", "b", "c")
    with pytest.raises(WiringError, match=r"route\(by=...\) answered .*; the targets are a, b, c"):
        desk.emitter().out(LARGE, None, "src/0", 0)
    assert desk.arena.used == 0, "and nothing is left behind"


def test_a_value_without_the_key_of_its_route_is_refused(desk: Desk) -> None:
    desk.route("", "kind", "a", "b")
    for value, name in (({"a": 1}, "dict"), (3, "int")):
        with pytest.raises(WiringError, match=rf"route\(by='kind'\): a {name} without it"):
            desk.emitter().out(value, None, "src/0", 0)


def keyed(desk: Desk, by: Any) -> KeyedLink:
    """A link with a key beside the others."""
    link = KeyedLink(id=9, target="k", max_failures=3, word=0)
    link.shard = Key(by, "k").shard
    link.affinity.join(100, 0)
    desk.links["k"] = link
    return link


def batch(link: Link) -> Cargo:
    """All that waits on it, for somebody with room."""
    link.credit.join(100, 50, 1 << 40)
    link.credit.pace.report(1000, 1000)
    dispatch = link.next_batch(lambda: 0.0)
    assert dispatch is not None
    return dispatch.cargo


def test_a_link_with_a_key_gets_its_items_by_shard(desk: Desk) -> None:
    link = keyed(desk, "user")
    desk.copies("", "a")
    desk.ports[""].keyed.append(link)
    emitter = desk.emitter()
    for number, user in enumerate(["ada", "bob", "ada"]):
        emitter.out({"user": user}, None, "src/0", number)
    assert len(desk.taken("a")) == 3
    cargo = batch(link)
    assert [tag.shard for tag in cargo.tags] == [affinity.shard(user) for user in ("ada", "bob", "ada")]
    assert [(run.first, run.items) for run in cargo.runs] == [(0, 3)]


def test_a_route_may_choose_a_link_with_a_key(desk: Desk) -> None:
    link = keyed(desk, len)
    desk.route("", lambda value: len(value) % 2, "a", "k")
    emitter = desk.emitter()
    emitter.out("even", None, "src/0", 0)
    emitter.out("odd", None, "src/0", 1)
    assert [tag.shard for tag in batch(link).tags] == [affinity.shard(3)]
    assert [number for _, number, _ in desk.taken("a")] == [0]


@pytest.mark.parametrize(
    ("by", "value", "sentence"),
    [
        ("user", {"a": 1}, "key='user' of k: a dict without it"),
        ("user", {"user": ["ada"]}, "key='user' of k: a list cannot be a key; text, bytes"),
        (type, 3, "key= of k: a type cannot be a key"),
    ],
)
def test_a_value_without_a_key_is_refused(desk: Desk, by: Any, value: Any, sentence: str) -> None:
    desk.ports[""] = port = Port()
    port.keyed.append(keyed(desk, by))
    with pytest.raises(WiringError, match=sentence):
        desk.emitter().out(value, None, "src/0", 0)


def test_children_are_numbered_by_port_and_counted_for_their_parent(desk: Desk) -> None:
    class Parent:
        emitted = 0

    desk.copies("", "a")
    desk.copies("rest", "b", "c")
    emitter, parent = desk.emitter(), Parent()
    children: dict[str, int] = {}
    for port in ("", "rest", "", "rest", ""):
        emitter.emit(port, port, parent, "src/0:5", children)  # type: ignore[arg-type]
    assert [number for _, number, _ in desk.taken("a")] == [0, 1, 2]
    assert [number for _, number, _ in desk.taken("b")] == [0, 1]
    assert parent.emitted == 3 + 2 * 2
    emitter.emit("", "x", parent, "src/0:6", {})  # type: ignore[arg-type]
    assert desk.taken("a") == [("src/0:6", 0, "x")]


def test_an_unknown_port_is_refused_with_the_nearest(desk: Desk) -> None:
    desk.copies("rejected", "a")
    with pytest.raises(WiringError, match="no port 'rejecte' here; did you mean 'rejected'"):
        desk.emitter().emit("rejecte", 1, None, "src/0", {})
    with pytest.raises(WiringError, match=r"no port 'x' here; declare it with ports=\(...\)"):
        desk.emitter().emit("x", 1, None, "src/0", {})


@pytest.mark.parametrize("links", [0, 1, 2, 3])
def test_a_slot_is_counted_once_for_each_link(desk: Desk, links: int) -> None:
    desk.copies("", *"abc"[:links])
    desk.emitter().out({"a": LARGE}, None, "src/0", 0)
    slots = list(desk.arena._live.values())
    assert [slot.own for slot in slots] == [links] * bool(links)
    for slot in slots * links:
        desk.arena.drop(slot)
    assert desk.arena.used == 0


def test_what_cannot_travel_is_refused_and_nothing_is_put(desk: Desk) -> None:
    desk.copies("", "a")
    with pytest.raises(UnsupportedType):
        desk.emitter().out([LARGE, object()], None, "src/0", 0)
    assert desk.taken("a") == []
    assert desk.arena.used == 0


def test_people_hear_when_arrays_find_no_room(desk: Desk) -> None:
    desk.copies("", "a")
    emitter = desk.emitter()
    while not desk.spilled:
        emitter.out(LARGE, None, "src/0", 0)
    emitter.out([LARGE, LARGE], None, "src/0", 1)
    assert desk.spilled == [1, 3]


@pytest.mark.parametrize("ways", ["one link", "two links", "a route"])
def test_a_fed_source_numbers_its_items_whatever_they_are(desk: Desk, ways: str) -> None:
    if ways == "a route":
        desk.route("", lambda value: 0, "a", "b")
    else:
        desk.copies("", *"ab"[: 1 if ways == "one link" else 2])
    feed, fed = desk.emitter().feeder("src/0")
    values = iter(({"x": 1}, None, {"x": 2}, (1,), LARGE, None, {"y": {1}}, {"x": 3}))
    while feed(values):
        pass
    assert fed() == 6
    taken = desk.taken("a")
    assert [number for _, number, _ in taken] == list(range(6))
    assert {origin for origin, _, _ in taken} == {"src/0"}
    assert [value for _, _, value in taken] == [{"x": 1}, {"x": 2}, (1,), None, {"y": {1}}, {"x": 3}]


@pytest.mark.parametrize("ways", ["one link", "two links"])
def test_a_fed_source_may_be_refused_and_go_on(desk: Desk, ways: str) -> None:
    desk.copies("", *"ab"[: 1 if ways == "one link" else 2])
    feed, fed = desk.emitter().feeder("src/0")
    values = iter([1, object(), 2])
    assert feed(values)  # nobody has taken the first yet
    with pytest.raises(UnsupportedType):
        feed(values)
    feed(values)
    assert fed() == 2
    assert [value for _, _, value in desk.taken("a")] == [1, 2]
