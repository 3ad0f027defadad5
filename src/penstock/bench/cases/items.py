"""Small items: how many a second, over one link, through a stage of two replicas, and in order again."""

from __future__ import annotations

from functools import partial

from penstock.bench.case import Case, Measure
from penstock.bench.stand import Reading, Stand

RAW = "pyzmq PUSH/PULL, 64 bytes, no acknowledgement"
STREAMERS = "pyzmq send_json through two zmq.proxy streamers and 2 workers"
REORDERED = "pyzmq send_json, 2 workers and a heap that restores the order"

APART = "the same step in a process of its own"
LOOP = "a Python loop with the same calls, in one process"


def ours(stand: Stand, app: str) -> Reading:
    """One pipeline, to its clean end: what is counted is settled."""
    return stand.pipeline(app)


def raw(stand: Stand) -> Reading:
    """Bytes, not values: nothing is encoded, and nobody knows whether they arrived."""
    return stand.peer("pull", "push")


def streamers(stand: Stand) -> Reading:
    """The pattern of the ZeroMQ guide for pipelines."""
    return stand.peer("proxy_front", "proxy_back", "pull_json", "work_json", "work_json", "push_json")


def reordered(stand: Stand) -> Reading:
    """The least that gives the order back as long as nothing fails: no streamers in between."""
    return stand.peer("pull_json_in_order", "work_json", "work_json", "push_json_near")


def apart(stand: Stand) -> Reading:
    """The same pipeline, with a hop more."""
    return stand.pipeline("fused.py", style="apart")


def loop(stand: Stand) -> Reading:
    """What it costs without any hop, and without a process that could die alone."""
    return stand.peer("loop")


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
    Case(
        name="ordered",
        about="small dicts, source -> stage x2 -> sink that takes them in order",
        ours=partial(ours, app="ordered.py"),
        peers={REORDERED: reordered},
        measures=(Measure(unit="items/s", peers=(REORDERED,), target=1.0),),
    ),
    Case(
        name="fused",
        about="small dicts, source -> a small step in the process of the sink",
        ours=partial(ours, app="fused.py"),
        peers={APART: apart, LOOP: loop},
        measures=(
            Measure(unit="items/s", peers=(APART,), target=1.3),
            Measure(unit="items/s", peers=(LOOP,), target=0.1),
        ),
    ),
)
