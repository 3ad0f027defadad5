"""Plain sockets with care: ZeroMQ's patterns, for who wants no pipeline.

Values travel by the codec of pipelines (no pickle), waits end, sockets close, nothing listens to strangers.
``penstock.patterns.aio`` has the same for asyncio. May import message, security, errors and the ground;
of these files only ``wire``, ``context``, ``frames`` and ``monitor`` know zmq.
"""

from penstock.patterns.addressing import Delivered
from penstock.patterns.device import Counts, Forwarder, Queue, Streamer
from penstock.patterns.inquiry import Sender
from penstock.patterns.plain import (
    Dealer,
    Pair,
    Publisher,
    Puller,
    Pusher,
    Replier,
    Requester,
    Router,
    Subscriber,
)
from penstock.patterns.pool import ReplierPool
from penstock.patterns.publishing import Published
from penstock.patterns.tuning import Tuning

__all__ = [
    "Counts",
    "Dealer",
    "Delivered",
    "Forwarder",
    "Pair",
    "Published",
    "Publisher",
    "Puller",
    "Pusher",
    "Queue",
    "Replier",
    "ReplierPool",
    "Requester",
    "Router",
    "Sender",
    "Streamer",
    "Subscriber",
    "Tuning",
]
