"""What ``penstock bench`` prints and answers; nothing is measured here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from penstock.bench import suite
from penstock.bench.case import Case
from penstock.bench.result import Document, encode
from penstock.bench.result import Result as Entry
from penstock.bench.stand import Stand
from penstock.cli.bench import bench
from penstock.errors import UserError


def entry(ratio: float = 2.0, *, met: bool = True) -> Entry:
    return Entry(
        case="stream-items",
        unit="items/s",
        ours=2_000_000.0,
        peer=1_000_000.0,
        peer_name="raw",
        ratio=ratio,
        target=1.0,
        met=met,
        runs=[(ratio, 1.0)] * 5,
    )


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[Entry]:
    """What the suite will be found to have measured."""
    found: list[Entry] = []

    def run(cases: list[Case], stand: Stand, talk: suite.Talk) -> Document:
        talk("measuring")
        return Document(results=found)

    monkeypatch.setattr(suite, "run", run)
    return found


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(bench, arguments, standalone_mode=False)


def test_the_table_says_who_the_peer_is_and_whether_the_target_was_met(measured: list[Entry]) -> None:
    measured.append(entry())
    answer = invoke("stream-items")
    assert answer.return_value == 0
    line = answer.stdout.splitlines()[1]
    assert line.split() == [
        "stream-items",
        "2,000,000",
        "1,000,000",
        "items/s",
        "2.00x",
        "1.00x",
        "met",
        "raw",
    ]


def test_a_missed_target_is_in_the_exit_code(measured: list[Entry]) -> None:
    measured.append(entry(0.5, met=False))
    answer = invoke()
    assert answer.return_value == 1
    assert "missed" in answer.stdout


def test_json_is_the_document_alone_on_stdout(measured: list[Entry]) -> None:
    measured.append(entry())
    answer = invoke("--json")
    assert json.loads(answer.stdout)["schema"] == "penstock.bench/1"
    assert "measuring" in answer.stderr


def test_a_regression_is_told_and_is_in_the_exit_code(measured: list[Entry], tmp_path: Path) -> None:
    measured.append(entry(1.5))
    old = tmp_path / "old.json"
    old.write_text(encode(Document(results=[entry(2.0)])), encoding="utf-8")
    answer = invoke("--compare", str(old), "--json")
    assert answer.return_value == 1
    assert "2.00x -> 1.50x" in answer.stderr
    assert "regressed" in answer.stderr
    assert json.loads(answer.stdout)


def test_an_unknown_case_is_refused_with_the_list_of_them() -> None:
    answer = invoke("steam-items")
    assert answer.exception
    assert "stream-items" in str(answer.exception)


def test_an_old_document_is_read_before_anything_is_measured(measured: list[Entry], tmp_path: Path) -> None:
    old = tmp_path / "old.json"
    old.write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match="not a result of"):
        CliRunner().invoke(bench, ["--compare", str(old)], standalone_mode=False, catch_exceptions=False)


def test_the_cases_can_be_listed_without_measuring() -> None:
    answer = invoke("--list")
    assert [line.split()[0] for line in answer.stdout.splitlines()][:2] == ["stream-items", "pipeline-items"]
