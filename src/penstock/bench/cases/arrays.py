"""Arrays: yielded as they are and read to the last byte, and written in place."""

from __future__ import annotations

from functools import partial

from penstock.bench.case import Case, Measure
from penstock.bench.stand import Reading, Stand
from penstock.bench.trial import FAN

Shape = tuple[int, ...]

BATCH: Shape = (32, 3, 224, 224)
"""Images as a trainer takes them: 19.3 MB of float32."""

SMALL: Shape = (32, 32)
"""A thumbnail, of which a model takes many at a time."""

PICKLE = "pyzmq send_pyobj"
STACK = "pyzmq copy=True and np.stack"
COPY = "pyzmq copy=True"
NO_COPY = "pyzmq copy=False"
FOUR = f"pyzmq copy=False, {FAN} PUSH sockets"
HOPS = "pyzmq copy=False, two hops"
MEMORY = "np.copyto and no hop"
STYLES = {PICKLE: "pickle", COPY: "copy", NO_COPY: "no copy"}


def ours(stand: Stand, shape: Shape, style: str) -> Reading:
    """Through the arena, settled."""
    return stand.pipeline("arrays.py", shape=shape, style=style)


def peer(stand: Stand, shape: Shape, style: str) -> Reading:
    """Through a socket."""
    return stand.peer("pull_arrays", "push_arrays", shape=shape, style=style)


def fan(stand: Stand) -> Reading:
    """One slot of the arena, four readers."""
    return stand.pipeline("fanout.py", shape=BATCH)


def fan_of_sockets(stand: Stand) -> Reading:
    """One PUSH socket for each sink."""
    return stand.peer(*(f"pull_fan{number}" for number in range(FAN)), "push_fan", shape=BATCH)


def case(name: str, shape: Shape, about: str, measures: tuple[Measure, ...]) -> Case:
    """Ordinary arrays of one size, beside the peers the measures name."""
    names = [peer for measure in measures for peer in measure.peers]
    return Case(
        name=name,
        about=about,
        ours=partial(ours, shape=shape, style=""),
        peers={name: partial(peer, shape=shape, style=STYLES[name]) for name in names},
        measures=measures,
    )


def passed_on(stand: Stand) -> Reading:
    """One slot of the arena, two hops."""
    return stand.pipeline("passthrough.py", shape=BATCH)


def forwarded(stand: Stand) -> Reading:
    """Two hops by socket."""
    roles = ("pull_arrays", "forward_arrays", "push_arrays_far")
    return stand.peer(*roles, shape=BATCH, style=STYLES[NO_COPY])


def copied(stand: Stand) -> Reading:
    """One copy in memory by one process."""
    return stand.peer("copy_arrays", shape=BATCH)


def batched(stand: Stand) -> Reading:
    """A sink with ``batch=``."""
    return stand.pipeline("batched.py", shape=SMALL)


def stacked(stand: Stand) -> Reading:
    """The loop people write for it."""
    return stand.peer("pull_batches", "push_arrays", shape=SMALL, style=STYLES[COPY])


CASES = (
    case(
        "array-19mb",
        BATCH,
        "19.3 MB arrays, every byte read",
        (
            Measure(unit="arrays/s", peers=(PICKLE,), target=15.0),
            Measure(unit="arrays/s", peers=(NO_COPY,), target=2.5),
        ),
    ),
    Case(
        name="array-19mb-inplace",
        about="19.3 MB arrays written in place (ctx.empty), first element written and read",
        ours=partial(ours, shape=BATCH, style="in place"),
        measures=(Measure(unit="arrays/s", target=10_000.0),),
    ),
    case(
        "array-64k",
        (16_384,),
        "65,536-byte arrays, every byte read",
        (Measure(unit="arrays/s", peers=(COPY, NO_COPY), target=1.2),),
    ),
    case(
        "array-400k",
        (100_000,),
        "400,000-byte arrays, every byte read",
        (Measure(unit="arrays/s", peers=(COPY, NO_COPY), target=1.2),),
    ),
    Case(
        name="fanout",
        about="19.3 MB arrays to 4 sinks at once, first element read",
        ours=fan,
        peers={FOUR: fan_of_sockets},
        measures=(Measure(unit="arrays/s", peers=(FOUR,), target=5.0),),
    ),
    Case(
        name="passthrough",
        about="19.3 MB arrays, source -> stage that passes them on -> sink, every byte read",
        ours=passed_on,
        peers={HOPS: forwarded, MEMORY: copied},
        measures=(
            Measure(unit="arrays/s", peers=(HOPS,), target=3.0),
            Measure(unit="arrays/s", peers=(MEMORY,), target=0.5),
        ),
    ),
    Case(
        name="batched",
        about="4,096-byte arrays in stacks of 32, every byte read",
        ours=batched,
        peers={STACK: stacked},
        measures=(Measure(unit="arrays/s", peers=(STACK,), target=3.0),),
    ),
)
