"""The reference pages name what there is: no knob, setting, verb or error is missing, none is invented."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

import penstock
from penstock import errors, settings
from penstock.cli.main import VERBS, answer
from penstock.link import batching, ledger
from penstock.message import envelope
from penstock.pipeline.knobs import Knobs
from tests.house.pages import blocks, commands, differences

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"
FIRST_CELL = re.compile(r"^\| `(\w+)`", re.MULTILINE)


def _section(page: str, title: str) -> str:
    """The text below a heading, up to the next of its rank."""
    text = (REFERENCE / page).read_text()
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_every_knob_is_explained() -> None:
    assert FIRST_CELL.findall(_section("api.md", "`@source`, `@stage`, `@sink`")) == list(
        Knobs.__annotations__
    )


def test_every_error_is_listed_with_its_exit_code() -> None:
    listed = dict(re.findall(r"^\| `(\w+)` \| (\d+) \|", _section("api.md", "Errors"), re.MULTILINE))
    ours = {
        name: value.exit_code
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.PenstockError)
    }
    assert {name: int(code) for name, code in listed.items()} == ours


def test_every_exit_code_that_an_error_has_is_explained() -> None:
    text = (REFERENCE / "exit-codes.md").read_text()
    explained = {
        int(code) for cell in re.findall(r"^\| ([\d, ]+) \|", text, re.MULTILINE) for code in cell.split(",")
    }
    raised = {value.exit_code for value in vars(errors).values() if hasattr(value, "exit_code")}
    assert raised <= explained


def test_every_setting_is_explained() -> None:
    listed = FIRST_CELL.findall((REFERENCE / "settings.md").read_text())
    assert [name for name in listed if name.startswith("PENSTOCK_")] == list(settings._NAMES)


def test_every_verb_has_its_help_on_the_page() -> None:
    shown = re.findall(r"^\$ penstock (\w+) --help$", (REFERENCE / "cli.md").read_text(), re.MULTILINE)
    assert shown == [verb.name for verb in VERBS]


def test_the_page_shows_what_each_verb_says_of_itself(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    for block in blocks(REFERENCE / "cli.md"):
        assert block.kind == "console"
        for command in commands(block):
            program, *words = command.text.split()
            assert program == "penstock" and words[-1] == "--help", "all else is for test_docs"
            assert answer(words) == 0
            shown = capsys.readouterr().out.splitlines()
            assert not differences(command.expected, shown), command.text


def test_every_public_name_is_on_the_page() -> None:
    text = (REFERENCE / "api.md").read_text()
    assert [name for name in penstock.__all__ if name not in text and name != "__version__"] == []


def test_the_link_protocol_is_drawn_with_its_real_numbers() -> None:
    text = (REFERENCE.parent / "explanation" / "link-protocol.md").read_text()
    for fact in (
        f"about {batching.GOAL // 1_000_000} ms at most",
        f"at most {batching.MOST:,} items",
        f"more than {batching.SLOW // 1_000_000} ms",
        f"An envelope above {envelope.MAX_ENVELOPE >> 20} MiB",
        f"from {ledger.FIRST_PAUSE * 1000:.0f} ms up to {ledger.LONGEST_PAUSE:.0f} s",
    ):
        assert fact in text


def test_every_envelope_is_in_the_table_with_its_kind_and_fields() -> None:
    text = (REFERENCE.parent / "explanation" / "link-protocol.md").read_text()
    for kind in (*get_args(envelope.FromReceiver), *get_args(envelope.FromSender)):
        name, fields = (
            f"{kind.__struct_config__.tag} {kind.__name__.upper()}",
            ", ".join(kind.__struct_fields__),
        )
        assert re.search(rf"^\| {name} \|[^|]*\| {fields} ?\|", text, re.MULTILINE), (name, fields)
