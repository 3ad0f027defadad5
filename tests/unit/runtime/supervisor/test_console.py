"""What people see. The clock stands at noon; the terminal is a string."""

from __future__ import annotations

import io
import time

import pytest

from penstock.observe import events
from penstock.pipeline.plan import LinkPlan, Plan, StagePlan
from penstock.pipeline.reference import Reference
from penstock.runtime.supervisor.account import LinkCount, Totals
from penstock.runtime.supervisor.console import Console
from penstock.runtime.supervisor.gauge import Pace

CODE = Reference("/app", "app", "f")
PLAN = Plan(
    "demo",
    [
        StagePlan("camera", "source", CODE),
        StagePlan("normalise", "stage", CODE, replicas=2),
        StagePlan("train", "sink", CODE),
    ],
    [LinkPlan(0, "camera", "normalise"), LinkPlan(1, "normalise", "train")],
)
NOON = time.mktime((2026, 11, 21, 12, 1, 7, 0, 0, -1))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Seen:
    """A console and what it has written."""

    def __init__(self, out: io.StringIO | None = None, **environ: str) -> None:
        self.out = out or io.StringIO()
        self.console = Console(PLAN, self.out, environ=environ, now=lambda: NOON)

    def hear(self, *told: events.Event) -> list[str]:
        before = len(self.out.getvalue())
        for event in told:
            self.console.hear(event)
        return self.out.getvalue()[before:].splitlines()

    def begin(self) -> list[str]:
        stages = {"camera": 1, "normalise": 2, "train": 1}
        began = events.RunBegan(run="demo-1", pipeline="demo", pid=7, stages=stages)
        return self.hear(began, ready("camera"), ready("normalise"), ready("normalise", 1), ready("train"))

    def status(self, pace: Pace) -> str:
        before = len(self.out.getvalue())
        self.console.status(pace)
        return self.out.getvalue()[before:]


def ready(stage: str, replica: int = 0) -> events.Event:
    return events.WorkerReady(stage=stage, replica=replica, number=replica + 2, took=0.21)


def died(**fields: object) -> events.Event:
    known: dict[str, object] = {"cause": "killed (SIGKILL)", "restart_after": 0.05, **fields}
    return events.WorkerDied(stage="normalise", replica=1, number=3, **known)  # type: ignore[arg-type]


BUSY = Pace(1912.0, 36e9, Totals(entered=22901, through=22877, in_flight=24))


def test_the_first_minute() -> None:
    seen = Seen()
    assert seen.begin() == [
        "  demo   3 stages   4 workers",
        "  camera      1/1 ready   0.2 s",
        "  normalise   2/2 ready   0.2 s",
        "  train       1/1 ready   0.2 s",
    ]
    assert seen.status(BUSY) == "  12:01:07   1,912 items/s   36 GB/s   in flight 24   dead 0\n"


def test_bytes_are_told_when_arrays_flow_only() -> None:
    seen = Seen()
    seen.begin()
    assert "B/s" not in seen.status(BUSY._replace(bytes=9000.0))


def test_nothing_is_told_while_nothing_changes_and_nobody_watches() -> None:
    seen = Seen()
    seen.begin()
    assert seen.status(BUSY) != ""
    assert seen.status(BUSY._replace(items=0.0)) == ""


def test_on_a_terminal_one_line_is_rewritten_below_what_scrolls_by() -> None:
    seen = Seen(Terminal(), NO_COLOR="1")
    seen.begin()
    assert seen.status(BUSY).startswith("\r\x1b[K  12:01:07")
    assert not seen.status(BUSY).endswith("\n")
    seen.hear(died())
    assert seen.out.getvalue().rpartition("\r\x1b[K")[2].endswith("starts again in 50 ms\n")


def test_before_anybody_is_ready_there_is_no_status() -> None:
    seen = Seen(Terminal())
    assert seen.status(Pace(0.0, 0.0, Totals())) == ""


def test_a_death_is_told_with_its_cause_and_what_follows() -> None:
    seen = Seen()
    seen.begin()
    assert seen.hear(died()) == ["  12:01:07   normalise/1 died: killed (SIGKILL); starts again in 50 ms"]
    assert "normalise 1/2" in seen.status(BUSY)


def test_details_of_a_death_are_shown_once() -> None:
    seen = Seen()
    first = seen.hear(died(details="Traceback\nValueError: no", restart_after=None))
    assert first == [
        "  12:01:07   normalise/1 died: killed (SIGKILL)",
        "             Traceback",
        "             ValueError: no",
    ]
    assert len(seen.hear(died(details="Traceback\nValueError: no"))) == 1


def test_a_restart_is_told_worker_by_worker_and_counts_nobody_twice() -> None:
    seen = Seen()
    seen.begin()
    assert seen.hear(ready("normalise", 2)) == []
    assert seen.hear(events.WorkerEnded(stage="normalise", replica=0, number=2)) == []
    assert seen.hear(events.WorkerRenewed(stage="normalise", replica=0, number=2, successor=4)) == [
        "  12:01:07   normalise/0 was restarted"
    ]
    assert seen.hear(
        events.RenewalAbandoned(stage="normalise", replica=1, number=3, cause="the pipeline is draining")
    ) == ["  12:01:07   normalise/1 is not restarted: the pipeline is draining"]
    assert "normalise" not in seen.status(BUSY)


def test_scaling_tells_from_what_to_what_and_when_all_are_there() -> None:
    seen = Seen()
    seen.begin()
    assert seen.hear(events.StageScaled(stage="normalise", before=2, after=3)) == [
        "  12:01:07   normalise: 2 → 3 replicas"
    ]
    assert seen.hear(ready("normalise", 2)) == ["  normalise   3/3 ready   0.2 s"]


def test_a_thousand_dead_letters_are_one_story() -> None:
    seen = Seen()
    notice = events.Noticed(stage="camera", replica=0, number=1, kind="dead", text="camera/0:17 is dead")
    lines = seen.hear(*[notice] * 1000)
    assert len(lines) == 6
    assert lines[-1].strip() == "(more of this kind are counted, not shown)"


def test_draining_counts_down() -> None:
    seen = Seen(Terminal(), NO_COLOR="1")
    seen.begin()
    seen.hear(events.DrainBegan())
    assert "draining   24 in flight   (Ctrl-C again stops now)" in seen.status(BUSY)
    seen.hear(events.StopBegan(grace=10.0))
    assert "stopping   24 in flight   (Ctrl-C again kills)" in seen.status(BUSY)


def test_little_shared_memory_is_one_warning_with_the_cure() -> None:
    [line] = Seen().hear(events.SharedMemoryLow(path="/dev/shm/x", free=64 * 2**20))
    assert "only 67 MB of shared memory are free" in line
    assert "--shm-size=1g" in line


def test_what_follows_from_little_shared_memory_is_not_said_again() -> None:
    seen = Seen()
    seen.hear(events.SharedMemoryLow(path="/dev/shm/x", free=64 * 2**20))

    def notice(kind: str) -> events.Noticed:
        return events.Noticed(stage="camera", replica=0, number=1, kind=kind, text="of its memory")

    assert not seen.hear(notice("pool"))
    assert seen.hear(notice("kept")), "who keeps arrays is news all the same"


def test_the_end_is_a_ledger_that_adds_up() -> None:
    seen = Seen()
    counts = {0: LinkCount(sent=22901, settled=22901), 1: LinkCount(sent=22901, settled=22900, dead=1)}
    totals = Totals(entered=22901, through=22900, dead=1)
    seen.console.end(counts, totals, took=12.0, letters=".penstock/demo/dead", failure="")
    assert seen.out.getvalue().splitlines() == [
        "",
        "  link                 sent   settled   dead",
        "  camera→normalise   22,901    22,901      0",
        "  normalise→train    22,901    22,900      1",
        "  dead letters are in .penstock/demo/dead; read them: penstock dead list",
        "  22,901 in, 22,900 out, 0 lost, 1 dead   12 s",
    ]


def test_why_it_failed_is_the_last_word() -> None:
    seen = Seen()
    seen.console.end({0: LinkCount(), 1: LinkCount()}, Totals(), took=1.0, letters="", failure="app.py:7: no")
    assert seen.out.getvalue().splitlines() == ["penstock: app.py:7: no"]


@pytest.mark.parametrize(
    ("environ", "coloured"),
    [
        ({}, True),
        ({"NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
    ],
)
def test_colour_is_for_terminals_that_want_it(environ: dict[str, str], coloured: bool) -> None:
    seen = Seen(Terminal(), **environ)
    seen.begin()
    assert ("\x1b[1m" in seen.out.getvalue()) is coloured


def test_a_terminal_that_has_gone_does_not_stop_the_pipeline() -> None:
    out = io.StringIO()
    seen = Seen(out)
    out.close()
    seen.console.line("nobody reads this")
