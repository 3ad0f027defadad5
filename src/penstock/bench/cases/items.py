"""Small items: how many a second, over one link and through a stage of two replicas."""

from __future__ import annotations

from functools import partial

from penstock.bench.case import Case, Measure
from penstock.bench.stand import Reading, Stand

RAW = "pyzmq PUSH/PULL, 64 bytes, no acknowledgement"
STREAMERS = "pyzmq send_json through two zmq.proxy streamers and 2 workers"


def ours(stand: Stand, app: str) -> Reading:
    """One pipeline, to its clean end: what is counted is settled."""
    return stand.pipeline(app)


def raw(stand: Stand) -> Reading:
    """Bytes, not values: nothing is encoded, and nobody knows whether they arrived."""
    return stand.peer("pull", "push")


def streamers(stand: Stand) -> Reading:
    """The pattern of the ZeroMQ guide for pipelines."""
    return stand.peer("proxy_front", "proxy_back", "pull_json", "work_json", "work_json", "push_json")


CASES = (
    Case(
        name="stream-items",
        about="small dicts, source -> sink, settled",
        ours=partial(ours, app="stream.py"),
        peers={RAW: raw},
        measures=(Measure(unit="items/s", peers=(RAW,), target=1.0),),
    ),
    Case(
        name="pipeline-items",
        about="small dicts, source -> stage x2 -> sink",
        ours=partial(ours, app="chain.py"),
        peers={STREAMERS: streamers},
        measures=(Measure(unit="items/s", peers=(STREAMERS,), target=4.0),),
    ),
)
