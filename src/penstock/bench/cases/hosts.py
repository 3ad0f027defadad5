"""Arrays between hosts: by tcp, with and without keys."""

from __future__ import annotations

from functools import partial

from penstock.bench.case import Case, Measure
from penstock.bench.cases.arrays import BATCH
from penstock.bench.stand import LIMIT, Reading, Stand
from penstock.errors import PipelineFailed


def ours(stand: Stand, style: str) -> Reading:
    """Two workers, credit, settlements, and a session between."""
    with stand.run(shape=BATCH, style=style) as run:
        process = run.start("-m", "penstock.bench.hosts")
        reading = run.reading()
        if process.wait(LIMIT):
            raise PipelineFailed(f"it ended with exit code {process.returncode}:\n{run.output()}")
        return reading


def peer(stand: Stand, style: str) -> Reading:
    """PUSH and PULL, a header and a frame that is not copied."""
    return stand.peer("pull_arrays", "push_arrays", shape=BATCH, style=f"no copy {style}")


def case(name: str, about: str, style: str) -> Case:
    """One way to join them."""
    named = f"pyzmq copy=False, tcp {style}"
    return Case(
        name=name,
        about=about,
        ours=partial(ours, style=style),
        peers={named: partial(peer, style=style)},
        measures=(Measure(unit="arrays/s", peers=(named,), target=0.8),),
    )


DIRECT = "the same without a relay"

CASES = (
    case("curve-19mb", "19.3 MB arrays to another host, by tcp with CURVE, every byte read", "curve"),
    case("tcp-19mb", "19.3 MB arrays to another host, by tcp in the clear, every byte read", "plain"),
    Case(
        name="relay-19mb",
        about="19.3 MB arrays to another host, by tcp with CURVE and through a relay",
        ours=partial(ours, style="curve relay"),
        peers={DIRECT: partial(ours, style="curve")},
        measures=(Measure(unit="arrays/s", peers=(DIRECT,), target=0.5),),
    ),
)
