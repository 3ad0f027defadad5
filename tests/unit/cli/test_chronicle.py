from __future__ import annotations

from typing import Any

import click
import pytest

from penstock.cli import chronicle
from penstock.observe import events


def record(event: events.Event) -> dict[str, Any]:
    return {"n": 3, "at": 0.0, **event.document()}


WORK: dict[str, Any] = {"stage": "work", "replica": 1, "number": 7}


@pytest.mark.parametrize(
    ("event", "subject", "text"),
    [
        (
            events.RunBegan(run="demo-1", pipeline="demo", pid=9, stages={"make": 1, "work": 2}),
            "",
            "demo begins as demo-1, pid 9: make x 1, work x 2",
        ),
        (
            events.WorkerDied(**WORK, cause="exit code 3", restart_after=0.1, details="at line 1"),
            "work/1",
            "died: exit code 3; starts again in 0.1 s\nat line 1",
        ),
        (events.WorkerReady(**WORK, took=0.25), "work/1", "ready after 0.2 s"),
        (events.StageScaled(stage="work", before=1, after=3), "work", "scaled: 1 → 3"),
        (events.Noticed(**WORK, kind="dead", text="camera/0:17"), "work/1", "dead: camera/0:17"),
        (
            events.LettersStranded(link="make→work", count=1),
            "",
            (
                "1 dead letter put back to make→work cannot go there, this run has no such link: it is a "
                "dead letter again"
            ),
        ),
        (events.RunEnded(failed=False, cut_short=True), "", "the run has ended, cut short"),
    ],
)
def test_an_event_is_a_sentence_about_somebody(event: events.Event, subject: str, text: str) -> None:
    told = record(event)
    assert (chronicle.subject(told), chronicle.sentence(told).rstrip("\n")) == (subject, text)


def test_every_event_without_a_sentence_of_its_own_is_shown_field_by_field() -> None:
    told = {"n": 1, "at": 0.0, "event": "tide_turned", "stage": "work", "height": 3}
    assert chronicle.sentence(told) == "tide turned   height 3"


def test_every_event_there_is_has_a_sentence_of_its_own() -> None:
    names = {each.__struct_config__.tag for each in _leaves(events.Event)}
    assert set(chronicle._SENTENCES) == names


def test_more_lines_stand_below_the_first() -> None:
    died = events.WorkerDied(**WORK, cause="it", restart_after=None, details="one\ntwo")
    first, *rest = click.unstyle(chronicle.line(record(died))).splitlines()
    assert first.endswith("work/1         died: it")
    assert [line.strip() for line in rest] == ["one", "two"]


def test_what_is_not_kept_is_said() -> None:
    assert chronicle.missing(0, {"n": 1200}) == "1,200 events before this are not kept"
    assert chronicle.missing(3, {"n": 3}) == ""


def _leaves(kind: type[events.Event]) -> list[type[events.Event]]:
    return [leaf for sub in kind.__subclasses__() for leaf in (_leaves(sub) or [sub])]
