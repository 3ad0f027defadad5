"""Calls to another host, over real sockets: each word comes once, cuts delay it, strangers say nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from penstock.errors import PeerError
from penstock.link import callpeer
from penstock.link.callpeer import CallPeer, Ends
from penstock.link.ear import Ear
from penstock.security.curve import new_pair
from tests.proxy import proxy

REPLICA, CALLER = 7, 1 << 63
LIMIT = 30.0


class Talk:
    """A replica, and callers, in one process."""

    def __init__(self) -> None:
        pair = new_pair()
        self.curve = pair.public, pair.secret
        self.ear, self.come = Ear({}), list[CallPeer]()
        self.heard: dict[str, list[tuple[bytes, list[bytes]]]] = {}
        self.ends: list[tuple[str, PeerError | None]] = []
        self.door = callpeer.listen(
            "tcp://127.0.0.1:*", self.ear, self._greet, Ends(replica=REPLICA, curve=self.curve)
        )
        self.port = int(self.door.address.rpartition(":")[2])
        self.refused: list[str] = []
        self.callers: list[CallPeer] = []

    def caller(self, name: str, port: int, *, replica: int = REPLICA, number: int = CALLER) -> CallPeer:
        made = callpeer.connect(f"tcp://127.0.0.1:{port}", self.ear, Ends(number, replica, self.curve))
        self.callers.append(made)
        return self._listening(name, made)

    def _greet(self, who: CallPeer) -> None:
        self.come.append(self._listening("replica", who))

    def _listening(self, name: str, who: CallPeer) -> CallPeer:
        self.heard[name] = []
        who.heard = lambda word, frames: self.heard[name].append((bytes(word), [bytes(f) for f in frames]))
        who.gone = lambda error: self.ends.append((name, error))
        return who

    def until(self, look: Callable[[], object]) -> None:
        deadline = time.monotonic() + LIMIT
        while not look():
            assert time.monotonic() < deadline, (self.refused, self.ends)
            try:
                self.ear.turn(0.1)
            except PeerError as error:
                self.refused.append(str(error))

    def close(self) -> None:
        for each in (*self.callers, *self.come):
            each.close()
        self.door.close()
        self.ear.close()


@pytest.fixture
def talk() -> Iterator[Talk]:
    made = Talk()
    yield made
    made.close()


def test_words_and_arrays_go_both_ways_once_and_in_order_over_cuts(talk: Talk) -> None:
    with proxy(talk.port) as cable:
        caller = talk.caller("caller", cable.port)
        caller.send(b"hello")
        talk.until(lambda: talk.heard.get("replica"))
        array = bytearray(100_000)
        for number in range(300):
            if number % 100 == 50:
                cable.cut()
            caller.send(b"call %d" % number, [array] if number % 10 == 0 else ())
            talk.come[0].send(b"answer %d" % number, [array] if number % 10 == 0 else ())
            array[0] = 1  # what was said is not changed any more
            talk.ear.turn(0)
            cable.mend()
        talk.until(lambda: len(talk.heard["replica"]) == 301 and len(talk.heard["caller"]) == 300)
    assert [word for word, _ in talk.heard["replica"][1:]] == [b"call %d" % n for n in range(300)]
    assert [word for word, _ in talk.heard["caller"]] == [b"answer %d" % n for n in range(300)]
    assert talk.heard["caller"][0][1] == [bytes(100_000)]
    assert not talk.ends


def test_a_caller_that_has_ended_is_gone_and_one_of_another_replica_is_not_let_in(talk: Talk) -> None:
    talk.caller("caller", talk.port).send(b"hello")
    talk.until(lambda: talk.heard.get("replica"))
    talk.door.lose(CALLER + 1)
    talk.door.lose(CALLER)
    talk.door.lose(CALLER)
    assert talk.ends == [("replica", None)]
    assert not talk.come[0].send(b"too late")
    talk.caller("lost", talk.port, replica=REPLICA - 1, number=3).send(b"hello")
    talk.until(lambda: talk.refused)
    assert len(talk.come) == 1
    talk.caller("next", talk.port, number=4).send(b"hello")
    talk.until(lambda: len(talk.come) == 2)


def test_who_talks_nonsense_is_told_so_and_hung_up_on(talk: Talk) -> None:
    caller = talk.caller("caller", talk.port)
    caller.send(b"hello")
    talk.until(lambda: talk.come)

    def nonsense(*_: Any) -> None:
        raise PeerError("nonsense")

    talk.come[0].heard = nonsense
    talk.come[0].gone = lambda _: None if talk.come[0].send(b"refused") else pytest.fail("he is there")
    caller.send(b"?")
    talk.until(lambda: talk.heard["caller"])
    assert talk.heard["caller"] == [(b"refused", [])]
    assert not talk.come[0].send(b"more")
