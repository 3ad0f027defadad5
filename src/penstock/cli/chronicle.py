"""What has happened in a run, as people read it: a line an event, from its document.

A newer supervisor may tell of events this command line has no words for: those it shows field by field.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from penstock.cli import figures, terminal

Record = Mapping[str, Any]

BAD = ("run_failed", "worker_failed", "worker_died", "kill_began")
GOOD = ("worker_ready",)
OF_A_RECORD = ("n", "at", "event", "stage", "replica", "number")


def line(record: Record) -> str:
    """``12:01:07   detect/0   died: exit code 3; starts again in 0.1 s``; what tells more stands below."""
    stamp = time.strftime("%H:%M:%S", time.localtime(record["at"]))
    first, *more = sentence(record).splitlines() or [""]
    label = f"{subject(record):14} " if subject(record) else ""
    rest = [f"{'':10} {terminal.dim(each)}" for each in more]
    return "\n".join([f"{terminal.dim(stamp)}   {label}{_paint(record, first)}", *rest])


def subject(record: Record) -> str:
    """Whom it is about: ``detect/0``, ``detect``, or nobody but the run."""
    stage = record.get("stage", "")
    return f"{stage}/{record['replica']}" if "replica" in record else stage


def sentence(record: Record) -> str:
    """What happened, without whom it is about."""
    say = _SENTENCES.get(record["event"], _unknown)
    return say(record)


def missing(expected: int, record: Record) -> str:
    """That events are missing before this one; empty when none is."""
    count = record["n"] - expected
    return f"{figures.number(count)} events before this are not kept" if count > 0 else ""


def _paint(record: Record, text: str) -> str:
    event, kind = record["event"], record.get("kind")
    if event in BAD or kind == "dead":
        return terminal.bad(text)
    if event in GOOD:
        return terminal.good(text)
    return terminal.doubtful(text) if event == "noticed" else text


def _unknown(record: Record) -> str:
    fields = "   ".join(f"{key} {value}" for key, value in record.items() if key not in OF_A_RECORD)
    return f"{record['event'].replace('_', ' ')}   {fields}".rstrip()


def _began(record: Record) -> str:
    stages = ", ".join(f"{name} x {count}" for name, count in record["stages"].items())
    return f"{record['pipeline']} begins as {record['run']}, pid {record['pid']}: {stages}"


def _died(record: Record) -> str:
    after = record["restart_after"]
    again = "" if after is None else f"; starts again in {figures.duration(after)}"
    return f"died: {record['cause']}{again}\n{record['details']}"


def _retired(it: Record) -> str:
    why = f"cannot run: {it['cause']}; " if it["cause"] else ""
    return f"{why}gets no more calls: {it['kept']} gets all of {it['service']}"


def _ended(record: Record) -> str:
    return "the run has failed" if record["failed"] else f"the run has ended{_cut_short(record)}"


def _cut_short(record: Record) -> str:
    return ", cut short" if record["cut_short"] else ""


_SENTENCES: dict[str, Callable[[Record], str]] = {
    "run_began": _began,
    "swept": lambda it: f"took away what {it['run']} had left ({it['processes']} processes)",
    "shared_memory_low": lambda it: (
        f"only {figures.size(it['free'])} of shared memory are free at {it['path']}"
    ),
    "letters_stranded": lambda it: figures.stranded(it["link"], it["count"]),
    "drain_began": lambda it: "draining: nothing new is made, what is in flight is finished",
    "script_awaited": lambda it: figures.awaited(it["stage"], it["items"], it["patience"]),
    "host_joined": lambda it: f"host {it['host']} takes part: {it['cores']} cores",
    "host_unfit": lambda it: f"host {it['host']} cannot take part: {it['cause']}",
    "host_misspoke": lambda it: f"refused a message of a host, {it['count']:,} so far: {it['cause']}",
    "host_awaited": lambda it: f"waits for a host with the label {it['label']!r}",
    "host_leaves": lambda it: f"host {it['host']} leaves: its workers drain",
    "host_left": lambda it: f"host {it['host']} has left",
    "host_lost": lambda it: f"host {it['host']} is lost: {it['cause']}",
    "stop_began": lambda it: f"stopping: who has not ended in {figures.duration(it['grace'])} is killed",
    "kill_began": lambda it: "killing all workers",
    "run_failed": lambda it: f"failed: {it['cause']}\n{it['traceback']}",
    "run_ended": _ended,
    "stage_scaled": lambda it: f"scaled: {it['before']} → {it['after']}",
    "version_deployed": lambda it: f"deployed: gets {it['share']:.0%} of the calls of {it['service']}",
    "version_shared": lambda it: f"gets {it['share']:.0%} of the calls of {it['service']}",
    "version_retired": _retired,
    "stage_paused": lambda it: "paused: its workers begin nothing more",
    "stage_resumed": lambda it: "goes on",
    "stage_drained": lambda it: "told to finish what it holds",
    "worker_started": lambda it: f"started, pid {it['pid']}",
    "guest_attached": lambda it: f"attached from outside, pid {it['pid']}",
    "worker_ready": lambda it: f"ready after {figures.duration(it['took'])}",
    "worker_failed": lambda it: f"failed: {it['error']}\n{it['traceback']}",
    "worker_died": _died,
    "worker_ended": lambda it: "ended",
    "worker_renewed": lambda it: "was restarted",
    "renewal_abandoned": lambda it: f"is not restarted: {it['cause']}",
    "source_repeats": lambda it: "starts from its beginning: its items come again, under new ids",
    "item_progressed": lambda it: f"{it['item']}: {figures.headway(it['part'], it['numbers'])}",
    "noticed": lambda it: f"{it['kind']}: {it['text']}",
}
