from __future__ import annotations

import json
import secrets
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock.cli.main import answer
from penstock.rabbitmq.url import parse, with_file
from tests.rabbit import Shared

PASSWORD = "hush-hush"
"""Of users that tests make. Nothing that a command says may hold it."""

GROUPS = ("--group", "gpu", "--group", "cpu")

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


@pytest.fixture
def hidden(tmp_path: Path) -> Callable[[str], str]:
    """The same URL for a command line, where no password may stand: it is in a file, and is `PASSWORD`."""
    path = tmp_path / "hidden"
    path.write_text(PASSWORD)
    return lambda url: with_file(url, str(path))


@pytest.fixture
def secured(penstock: Penstock, rabbit: Shared, broker: str, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The URLs of the accounts of a virtual host, by name."""
    said = penstock("broker", "init", broker, *GROUPS, "--accounts", str(tmp_path / "secrets"))
    accounts = {each["name"]: Path(each["secret"]) for each in said["accounts"]}
    for path in accounts.values():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.read_text().strip() not in json.dumps(said)
    yield {
        name.removeprefix(
            f"{parse(broker).vhost}-"
        ): f"{rabbit.url(parse(broker).vhost, name, '').replace(':@', '@')}&password_file={path}"
        for name, path in accounts.items()
    }
    for name in accounts:
        rabbit.ask("DELETE", f"users/{name}")
