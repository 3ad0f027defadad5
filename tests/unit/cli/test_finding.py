from __future__ import annotations

import click

from penstock.cli.finding import BAD, DOUBTFUL, GOOD, Finding, as_fields, lines, summary, verdict

FINE = Finding("python", GOOD, "3.11")
SMALL = Finding("shared memory", DOUBTFUL, "64 MB", "more of it")
GONE = Finding("pyzmq", BAD, "not installed", "install it")


def test_only_what_is_wrong_makes_the_exit_code_1() -> None:
    assert verdict([FINE, SMALL]) == 0
    assert verdict([FINE, GONE]) == 1


def test_a_verdict_is_a_word_not_only_a_colour() -> None:
    shown = [click.unstyle(line) for line in lines([FINE, SMALL, GONE])]
    assert [line.split()[0] for line in shown] == ["ok", "warning", "more", "wrong", "install"]


def test_the_cure_stands_below_the_text_it_cures() -> None:
    first, cure = (click.unstyle(line) for line in lines([SMALL]))
    assert first.index("64 MB") == cure.index("more of it")


def test_the_summary_counts() -> None:
    assert click.unstyle(summary([FINE, SMALL, GONE])) == "3 looked at, 1 warning, 1 wrong"
    assert click.unstyle(summary([FINE])) == "1 looked at, no warnings, nothing wrong"


def test_a_document_has_the_verdict_and_every_finding() -> None:
    assert as_fields([GONE]) == {
        "ok": False,
        "findings": [{"subject": "pyzmq", "verdict": "bad", "text": "not installed", "cure": "install it"}],
    }
