"""How long a call takes: there, through the code of a service, and back."""

from __future__ import annotations

from functools import partial

from penstock.bench.asking import ARRAY
from penstock.bench.case import Case, Measure
from penstock.bench.stand import Reading, Stand

RAW = "pyzmq REQ/REP"
NO_COPY = "pyzmq REQ/REP, copy=False"
MEMORY = "np.copyto twice and no call"
RAY = "a Ray actor"
TINY, SMALL = (8,), (64,)
MEGABYTE, BATCH = (512, 512), (32, 3, 224, 224)
"""1 MB and 19.3 MB of float32."""

Shape = tuple[int, ...]


def ours(stand: Stand, shape: Shape, style: str = "") -> Reading:
    """From ``call`` to what it returns."""
    return stand.pipeline("call.py", shape=shape, style=style)


def raw(stand: Stand, shape: Shape) -> Reading:
    """From ``send`` to the return of ``recv``."""
    return stand.peer("rep", "req", shape=shape)


def uncopied(stand: Stand, shape: Shape) -> Reading:
    """The same, of frames."""
    return stand.peer("rep_arrays", "req_arrays", shape=shape, style=ARRAY)


def copied(stand: Stand, shape: Shape) -> Reading:
    """One copy in memory there, and one back."""
    return stand.peer("copies", shape=shape, style=ARRAY)


def ray(stand: Stand, shape: Shape, style: str = "") -> Reading:
    """From ``remote`` to the return of ``get``."""
    with stand.run(shape=shape, style=style) as run:
        run.start("-m", "penstock.bench.rivals", "ray", "call")
        return run.reading()


def small(name: str, shape: Shape) -> Case:
    """Bytes, beside a socket."""
    return Case(
        name=name,
        about=f"a call of a service: one caller, one replica, {shape[0]} bytes there and back",
        ours=partial(ours, shape=shape),
        peers={RAW: partial(raw, shape=shape)},
        measures=(
            Measure(unit="us p50", reading="p50", better="less", peers=(RAW,), target=1 / 1.4),
            Measure(unit="us p99", reading="p99", better="less", peers=(RAW,), target=1 / 2.5),
            Measure(unit="calls/s", peers=(RAW,), target=1 / 1.4),
        ),
    )


def array(name: str, shape: Shape, size: str, least: float) -> Case:
    """An array, beside a socket, and memory alone: a call has twice as many copies, and its own cost."""
    return Case(
        name=name,
        about=f"the same with an array of {size}",
        ours=partial(ours, shape=shape, style=ARRAY),
        peers={NO_COPY: partial(uncopied, shape=shape), MEMORY: partial(copied, shape=shape)},
        measures=(
            Measure(unit="us p50", reading="p50", better="less", peers=(NO_COPY,), target=1.0),
            Measure(unit="us p50", reading="p50", better="less", peers=(MEMORY,), target=least),
        ),
    )


def beside_ray(name: str, shape: Shape, style: str, target: float) -> Case:
    """A call of either."""
    return Case(
        name=name,
        about=f"the same as {name.replace('-ray', '')}; needs Ray",
        ours=partial(ours, shape=shape, style=style),
        peers={RAY: partial(ray, shape=shape, style=style)},
        measures=(
            Measure(unit="us p50", reading="p50", better="less", peers=(RAY,), target=target),
            Measure(unit="calls/s", peers=(RAY,), target=target),
        ),
    )


CASES = (
    small("call", SMALL),
    small("call-8b", TINY),
    array("call-1mb", MEGABYTE, "1 MB", 0.1),
    array("call-19mb", BATCH, "19.3 MB", 0.25),
)
BESIDE_RAY = (beside_ray("call-ray", SMALL, "", 5.0), beside_ray("call-1mb-ray", MEGABYTE, ARRAY, 1.0))
"""Those that need ``pip install ray``."""
