"""Publishers, routers and pairs over real sockets."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq

from penstock.errors import PeerGone, TimedOut, UserError
from penstock.message.arrays import LARGE
from penstock.patterns import Dealer, Pair, Published, Publisher, Router, Subscriber, Tuning

LONG = 30.0


@pytest.fixture(params=["inproc", "ipc", "tcp"])
def endpoint(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A place to bind, of each transport."""
    places = {"inproc": f"inproc://{tmp_path}", "ipc": f"ipc://{tmp_path}/s", "tcp": "tcp://127.0.0.1:0"}
    return places[request.param]


def hears(publisher: Publisher, subscriber: Subscriber, topic: str) -> None:
    """Publish until the subscription has arrived, and take what came of that."""
    while True:
        publisher.send(topic, "are you there")
        try:
            subscriber.receive(0.01)
        except TimedOut:
            continue
        break
    publisher.send(topic, "last")
    while subscriber.receive(LONG).value != "last":
        pass


def test_a_subscriber_hears_the_topics_it_asked_for_and_no_others(endpoint: str) -> None:
    with Publisher(endpoint) as publisher:
        asked = ["weather.paris", "news.*"]
        with Subscriber(publisher.endpoint, topics=asked) as subscriber:
            hears(publisher, subscriber, "weather.paris")
            for topic in ("weather.parish", "weather", "new", "news", "news.today", "weather.paris"):
                publisher.send(topic, {"of": topic})
            assert subscriber.receive(LONG) == Published("news.today", {"of": "news.today"})
            assert subscriber.receive(LONG) == Published("weather.paris", {"of": "weather.paris"})


def test_large_values_are_published_too(endpoint: str) -> None:
    array = np.arange(100_000.0)
    with Publisher(endpoint) as publisher, Subscriber(publisher.endpoint) as subscriber:
        hears(publisher, subscriber, "a")
        for value in (array, bytes(100_000), bytes(LARGE - 1), 1):
            publisher.send("big", value)
        np.testing.assert_array_equal(subscriber.receive(LONG).value, array)
        assert subscriber.receive(LONG).value == bytes(100_000)
        assert subscriber.receive(LONG).value == bytes(LARGE - 1)
        assert subscriber.receive(LONG).value == 1


def test_who_joins_late_gets_the_last_value_of_each_topic_and_nobody_gets_it_twice(endpoint: str) -> None:
    with Publisher(endpoint, last_values=100) as publisher, Subscriber(publisher.endpoint) as early:
        for number in range(5):
            publisher.send("clock", number)
        publisher.send("name", np.arange(20_000.0))
        last = dict[str, Any]()  # it may come late itself, so that a last value comes after "name"
        while not ("name" in last and last.get("clock") == 4):
            topic, last[topic] = early.receive(LONG)
        with Subscriber(publisher.endpoint, topics="clock") as late:
            assert late.receive(LONG) == ("clock", 4), "though the publisher says nothing more"
            publisher.send("clock", 5)
            assert late.receive(LONG) == ("clock", 5)
        assert early.receive(LONG) == ("clock", 5)
        with pytest.raises(TimedOut):
            early.receive(0)


def test_a_stranger_among_publishers_is_left_out(tmp_path: Path) -> None:
    with Subscriber(f"ipc://{tmp_path}/s", bind=True) as subscriber:
        with zmq.Context() as context, context.socket(zmq.PUB) as stranger:
            stranger.connect(subscriber.endpoint)
            while not subscriber.refused:
                for frame in (b"no topic", b"", b"a\0", b"a\0\xc1", b"\xff\0\x01", b"a\1short"):
                    stranger.send(frame)
                with pytest.raises(TimedOut):
                    subscriber.receive(0.02)
        with Publisher(subscriber.endpoint, bind=False) as publisher:
            hears(publisher, subscriber, "on")


def test_a_router_knows_who_has_sent_what(endpoint: str) -> None:
    with (
        Router(endpoint) as router,
        Dealer(router.endpoint, name=b"one") as one,
        Dealer(router.endpoint) as two,
    ):
        one.send(1)
        two.send(np.zeros(50_000))
        values = dict(router.receive(LONG) for _ in range(2))
        assert values.pop(b"one") == 1
        (other,) = values
        router.send(other, bytes(70_000))
        router.send(b"one", {"done": True})
        assert two.receive(LONG) == bytes(70_000)
        assert one.receive(LONG) == {"done": True}


def test_a_peer_that_is_not_there_is_an_error(endpoint: str) -> None:
    with Router(endpoint) as router, pytest.raises(PeerGone, match="not connected"):
        router.send(b"nobody", 1)


def test_a_stranger_cannot_pass_for_another_by_what_it_sends(tmp_path: Path) -> None:
    """More frames than there are in a message would otherwise be read as the next one's sender."""
    with Router(f"ipc://{tmp_path}/s") as router, Dealer(router.endpoint, name=b"honest") as honest:
        with zmq.Context() as context, context.socket(zmq.DEALER) as stranger:
            stranger.connect(router.endpoint)
            stranger.send_multipart([b"\x01", b"honest", b"\x02"])
            stranger.send(b"\x03")
            assert router.receive(LONG).value == 3
            assert router.refused == 1
        honest.send(4)
        assert router.receive(LONG) == (b"honest", 4)


def test_a_name_that_is_none_is_refused() -> None:
    for name in (b"\0mine", b"x" * 256):
        with pytest.raises(UserError, match="is no name"):
            Dealer("inproc://named", name=name)


def test_a_pair_speaks_both_ways(endpoint: str) -> None:
    with Pair(endpoint, bind=True) as one, Pair(one.endpoint) as other:
        one.send("ping")
        assert other.receive(LONG) == "ping"
        other.send("pong")
        assert one.receive(LONG) == "pong"


def test_a_publisher_with_last_values_is_one_threads_as_any_socket() -> None:
    with Publisher("inproc://kept", last_values=1) as publisher:
        errors: list[Exception] = []

        def publish() -> None:
            try:
                publisher.send("a", 1)
            except UserError as error:
                errors.append(error)

        thread = threading.Thread(target=publish)
        thread.start()
        thread.join()
        assert "belongs to the thread" in str(errors[0])
    with pytest.raises(UserError, match="is closed"):
        publisher.send("a", 1)


def test_the_last_values_kept_are_as_many_as_was_said(tmp_path: Path) -> None:
    with Publisher(f"ipc://{tmp_path}/s", last_values=2, tuning=Tuning(linger=0)) as publisher:
        for topic in "abc":
            publisher.send(topic, topic)
        with Subscriber(publisher.endpoint) as subscriber:
            assert [subscriber.receive(LONG).topic for _ in range(2)] == ["b", "c"]
