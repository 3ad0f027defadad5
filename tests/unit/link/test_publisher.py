"""A publisher and its subscribers over real sockets."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Optional

import numpy as np
import pytest
import zmq

from penstock.errors import PenstockError, UnsupportedType, UserError
from penstock.link import noticeboard
from penstock.link.hearing import Hearing, asking
from penstock.link.mailing import Mailing
from penstock.link.noticeboard import VERSION, Done, Hear, pack
from penstock.link.publisher import Publisher
from penstock.link.sockets import Context, Waiter
from penstock.link.wideboard import WideRouter, dialling
from penstock.message.parcel import Opener
from penstock.observe.tally import DELIVERED, FULL, OFFERED, PUBLISHED, REPLACED, Tally
from penstock.security.curve import new_pair
from tests.proxy import proxy

LIMIT = 30.0


class Stage:
    """One publisher, and whoever comes."""

    def __init__(self, folder: Path) -> None:
        self.context = Context()
        self.endpoint = f"ipc://{folder}/1.pub"
        self.tally = Tally(str(folder / "1.tally"), create=True)
        self.publishers: list[Publisher] = []
        self.dealers: list[Any] = []

    def publisher(self, *expected: Mailing, on_idle: Callable[[], None] = lambda: None) -> Publisher:
        return self.publishes(self.context.router(self.endpoint), expected=expected, on_idle=on_idle)

    def publishes(self, router: Any, **wishes: Any) -> Publisher:
        found = Publisher(router, self.tally, **wishes)
        self.publishers.append(found)
        return found

    def hearing(self, name: str, *topics: str, **wishes: Any) -> Hearing:
        return self.connected(Hearing(self.context, asking(name, list(topics), **wishes), f"{name}#2"))

    def connected(self, hearing: Hearing, endpoint: str = "") -> Hearing:
        hearing.connect(1, "train/0", endpoint or self.endpoint)
        self.dealers.append(hearing.connections[1].dealer)
        return hearing

    def counts(self, topic: str, subscriber: str = "") -> list[int]:
        return next(
            row.words for row in self.tally.rows() if (row.subscriber, row.topic) == (subscriber, topic)
        )

    def close(self) -> None:
        for publisher in self.publishers:
            publisher.close()
        for dealer in self.dealers:
            dealer.close()
        self.tally.close()
        self.context.close()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    made.close()


def got(hearing: Hearing, count: int, *, done: bool = True) -> list[tuple[str, Any]]:
    """The next ``count`` values."""
    found: list[tuple[str, Any]] = []
    waiter, deadline = Waiter({}), time.monotonic() + LIMIT
    waiter.watch(hearing.calls())
    while len(found) < count:
        assert time.monotonic() < deadline, found
        heard = hearing.next()
        if heard is None:
            for call in waiter.ready(1.0):
                call()
            continue
        found.append((heard.head.topic, noticeboard.opened(Opener(), heard.frames)))
        if done:
            hearing.done(heard)
    return found


def until(look: Callable[[], bool], hearing: Optional[Hearing] = None) -> None:
    """``hearing`` goes on meanwhile: a connection may have to be mended."""
    waiter, deadline = Waiter({}), time.monotonic() + LIMIT
    while not look():
        assert time.monotonic() < deadline
        waiter.watch({} if hearing is None else hearing.calls())
        for call in waiter.ready(0.005):
            call()


def test_one_that_is_expected_misses_nothing_however_late_it_comes(stage: Stage) -> None:
    publisher = stage.publisher(Mailing("log/0", ["metrics.*"]))
    for number in range(10):
        publisher.publish("metrics.loss", number)
        publisher.publish("other", number)
    assert got(stage.hearing("log/0", "metrics.*"), 10) == [("metrics.loss", n) for n in range(10)]
    until(publisher.is_settled)
    assert stage.counts("metrics.loss", "log/0")[DELIVERED] == 10
    assert stage.counts("other")[PUBLISHED] == 10


def test_who_comes_late_gets_the_last_value_of_topics_that_keep_one_if_he_asks(stage: Stage) -> None:
    publisher = stage.publisher()
    for number in range(3):
        publisher.publish("state", number, last=True)
        publisher.publish("event", number)
    asks, other = stage.hearing("a", "*", last=True), stage.hearing("b", "*")
    assert got(asks, 1) == [("state", 2)]
    until(lambda: len(publisher._mailings) == 2)
    publisher.publish("event", 7)
    assert got(asks, 1) == [("event", 7)]
    assert got(other, 1) == [("event", 7)]


def test_arrays_come_as_they_are(stage: Stage) -> None:
    publisher = stage.publisher(Mailing("log/0", ["*"]))
    large = np.arange(100_000.0).reshape(100, 1000)
    publisher.publish("frame", {"image": large, "n": 1})
    publisher.publish("bytes", b"x" * 100_000)
    [(_, frame), (_, data)] = got(stage.hearing("log/0", "*"), 2)
    assert np.array_equal(frame["image"], large)
    assert data == b"x" * 100_000


def test_publishing_never_waits_and_every_value_too_many_is_counted(stage: Stage) -> None:
    publisher = stage.publisher()
    slow = stage.hearing("slow", "*", depth=10)
    until(lambda: bool(publisher._mailings))
    for number in range(1000):
        publisher.publish("n", number)
    counts = stage.counts("n", "slow")
    assert (counts[OFFERED], counts[FULL]) == (1000, 1000 - 10 - 10)
    assert [value for _, value in got(slow, 20)] == [*range(10), *range(990, 1000)]
    until(lambda: publisher.is_settled(outside=True))
    assert stage.counts("n", "slow")[DELIVERED] == 20


def test_one_that_conflates_has_the_newest_next(stage: Stage) -> None:
    publisher = stage.publisher()
    board = stage.hearing("board", "*", conflate=True)
    until(lambda: bool(publisher._mailings))
    for number in range(100):
        publisher.publish("n", number)
    assert got(board, 2) == [("n", 0), ("n", 99)]
    assert stage.counts("n", "board")[REPLACED] == 98


def test_threads_may_publish_at_once(stage: Stage) -> None:
    publisher = stage.publisher(Mailing("log/0", ["*"], depth=10_000))
    hearing = stage.hearing("log/0", "*", depth=10_000)

    def publish(name: str) -> None:
        for number in range(500):
            publisher.publish(name, number)

    threads = [threading.Thread(target=publish, args=(name,)) for name in ("a", "b", "c", "d")]
    for thread in threads:
        thread.start()
    found = got(hearing, 2000)
    for name in ("a", "b", "c", "d"):
        assert [value for topic, value in found if topic == name] == list(range(500))


def test_nonsense_is_refused_and_counted_and_others_go_on(stage: Stage) -> None:
    publisher = stage.publisher()
    stranger = stage.context.dealer(stage.endpoint, b"stranger")
    stage.dealers.append(stranger)
    words = (b"", b"\xff" * 100, pack(Done(3)), pack(Hear(99, "x", ["*"])), pack(Hear(1, "x", ["a*b"])))
    for word in words:
        stranger.send(word)
    good = stage.hearing("good", "*")
    until(lambda: "good" in publisher._mailings)
    publisher.publish("n", 1)
    assert got(good, 1) == [("n", 1)]
    assert publisher.refused == 4  # what is done without having begun is late, not wrong


def test_a_bad_topic_and_a_value_that_cannot_travel_are_said_in_a_sentence(stage: Stage) -> None:
    publisher = stage.publisher(Mailing("log/0", ["*"]))
    for topic in ("", "metrics.*", "a\x00b", 7):
        with pytest.raises(UserError, match="topic"):
            publisher.publish(topic, 1)  # type: ignore[arg-type]
    with pytest.raises(UnsupportedType):
        publisher.publish("n", object())
    publisher.publish("n", 1)
    assert got(stage.hearing("log/0", "*"), 1) == [("n", 1)]


def test_a_successor_gets_what_waited_and_its_predecessor_changes_nothing_any_more(stage: Stage) -> None:
    idle = threading.Event()
    publisher = stage.publisher(Mailing("log/0", ["*"]), on_idle=idle.set)
    first = stage.hearing("log/0", "*")
    publisher.publish("n", 1)
    assert got(first, 1, done=False) == [("n", 1)]
    publisher.lose("log/0", "log/0#2", again=True)
    publisher.publish("n", 2)
    second = stage.connected(Hearing(stage.context, asking("log/0", ["*"]), "log/0#3"))
    assert got(second, 1) == [("n", 2)]
    publisher.lose("log/0", "log/0#2", again=True)  # it ends after its successor has come
    publisher.publish("n", 3)
    assert got(second, 1) == [("n", 3)]
    assert publisher.is_settled() or idle.wait(LIMIT)


def _status_in_a_fork(publisher: Publisher) -> int:
    """What comes of publishing there: 0 for the error that it is."""
    child = os.fork()
    if not child:
        try:
            publisher.publish("loss", 2)
        except PenstockError as error:
            os._exit(0 if "was forked" in str(error) else 1)
        finally:
            os._exit(2)
    return os.waitpid(child, 0)[1]


def test_a_fork_is_told_that_it_cannot_publish_also_of_topics_that_are_known(stage: Stage) -> None:
    publisher, log = stage.publisher(Mailing("log/0", ["loss"])), stage.hearing("log/0", "loss")
    publisher.publish("loss", 0, last=True)
    publisher.publish("loss", 1)
    with publisher._lock:  # another thread may have had it at the fork
        assert _status_in_a_fork(publisher) == 0
    publisher.publish("loss", 3, last=True)
    assert got(log, 1)[-1][0] == "loss"
    assert stage.counts("loss")[PUBLISHED] == 3


def test_what_does_not_travel_was_not_published(stage: Stage) -> None:
    publisher = stage.publisher()
    publisher.publish("loss", 1)
    with pytest.raises(UnsupportedType):
        publisher.publish("loss", object(), last=True)
    for _ in range(2):
        with pytest.raises(UnsupportedType):
            publisher.publish("unheard", object())
    assert stage.counts("loss")[PUBLISHED] == 1


def test_on_another_host_each_value_is_heard_once_over_cuts_and_strangers_hear_nothing(stage: Stage) -> None:
    pair, other = new_pair(), new_pair()
    router = WideRouter(stage.context.router(stage.endpoint), "tcp://127.0.0.1:*", (pair.public, pair.secret))
    publisher = stage.publishes(router, expected=[Mailing("log/0", ["*"]), Mailing("near/0", ["*"])])

    stranger = stage.context.plain(zmq.DEALER)
    stranger.curve_serverkey, stranger.curve_publickey = pair.public.encode(), other.public.encode()
    stranger.curve_secretkey = other.secret.encode()
    stranger.connect(router.address)
    stranger.send(pack(Hear(VERSION, "stranger/0", ["*"])))
    near = stage.hearing("near/0", "*")
    with proxy(int(router.address.rpartition(":")[2])) as cable:
        dial = dialling(stage.context, (pair.public, pair.secret))
        there = Hearing(stage.context, asking("log/0", ["*"]), "log/0#2", far=dial)
        stage.connected(there, f"tcp://127.0.0.1:{cable.port}")
        publisher.publish("loss", np.arange(20_000))
        assert got(there, 1)[0][1][-1] == 19_999
        for number in range(900):  # more than may be on the way at once
            if number % 300 == 100:
                cable.cut()
            publisher.publish("loss", number)
            cable.mend()
        assert [value for _, value in got(there, 900)] == list(range(900))
        until(lambda: stage.counts("loss", "log/0")[DELIVERED] == 901, there)
        there.leave()
        until(lambda: "log/0" not in publisher._mailings, there)
    assert len(got(near, 901)) == 901
    publisher.lose("log/0", "log/0#2", again=False)
    until(lambda: publisher.refused > 0)
    assert not stranger.poll(0)
    stranger.close(0)
