from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from penstock.cli.main import answer
from tests.rabbit import Shared

PASSWORD = "hush-hush"
"""Of users that tests make. Nothing that a command says may hold it."""

Penstock = Callable[..., Any]


@pytest.fixture
def penstock(capsys: pytest.CaptureFixture[str]) -> Penstock:
    """Runs a command; the document that it answers with `--json`."""

    def run(*words: str, code: int = 0) -> Any:
        # An app is imported by its name, and each test has one of the same.
        sys.modules.pop("app", None)
        assert answer([*words, "--json"]) == code, capsys.readouterr()
        said = capsys.readouterr()
        assert PASSWORD not in said.out + said.err
        return json.loads(said.out)

    return run


@pytest.fixture
def user(rabbit: Shared) -> Iterator[str]:
    """The name of a user of the broker without any rights; its password is `PASSWORD`."""
    name = f"user-{secrets.token_hex(4)}"
    rabbit.ask("PUT", f"users/{name}", {"password": PASSWORD, "tags": ""})
    yield name
    rabbit.ask("DELETE", f"users/{name}")
