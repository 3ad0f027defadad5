"""``penstock keys``: a key is made, trusted, revoked and replaced, and a secret is never printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from penstock.cli.main import answer
from penstock.security import Keyring
from penstock.security.curve import new_pair


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PENSTOCK_KEYS", str(tmp_path / "keys"))
    return tmp_path / "keys"


def say(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """The exit code, what is data and what is talk."""
    code = answer(["keys", *words])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_a_key_is_made_once_and_its_public_half_printed(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    assert say(capsys, "new") == (0, f"{Keyring(folder).own.public}\n", "")
    code, _, err = say(capsys, "new")
    assert code == 4 and "penstock keys rotate" in err


def test_who_is_trusted_is_shown_and_not_any_more_when_revoked(capsys: pytest.CaptureFixture[str]) -> None:
    say(capsys, "new")
    public = new_pair().public
    assert say(capsys, "trust", public, "--role", "client", "--name", "laptop")[0] == 0
    shown = json.loads(say(capsys, "show", "--json")[1])
    assert shown["trusted"] == [{"role": "client", "public": public, "name": "laptop"}]
    assert f"client   {public}   laptop" in say(capsys, "show")[1]
    assert "no longer trusted: laptop" in say(capsys, "revoke", "laptop")[2]
    assert public not in say(capsys, "show")[1]
    assert say(capsys, "revoke", "laptop")[0] == 4


def test_another_key_takes_the_place_of_ours(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    assert say(capsys, "rotate")[0] == 4, "there is none"
    say(capsys, "new")
    before = Keyring(folder).own.public
    _, out, err = say(capsys, "rotate")
    assert out == f"{Keyring(folder).own.public}\n" != f"{before}\n"
    assert before in err


def test_a_key_is_prepared_and_told_to_whom_before_it_takes_the_place_of_ours(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    say(capsys, "new")
    before = Keyring(folder).own.public
    say(capsys, "trust", new_pair().public, "--role", "server", "--name", "hub")
    say(capsys, "trust", new_pair().public, "--role", "client", "--name", "laptop")
    _, prepared, err = say(capsys, "rotate", "--prepare")
    new = prepared.strip()
    assert Keyring(folder).own.public == before != new
    assert f"hub:  penstock keys trust '{new}' --role ROLE --name NEW-NAME" in err
    assert f"laptop:  penstock keys trust '{new}' --role server --name NAME" in err
    assert say(capsys, "rotate", "--prepare")[1] == prepared, "there is one already"
    _, out, err = say(capsys, "rotate")
    assert out == prepared and Keyring(folder).own.public == new and Keyring(folder).next is None
    assert f"laptop:  penstock keys revoke '{before}' && penstock keys trust '{new}' --role server" in err
    assert say(capsys, "rotate")[1] != out


def test_no_secret_is_printed(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    said = ""
    for words in (["new"], ["show"], ["show", "--json"], ["trust", "x", "--role", "client", "--name", "y"]):
        said += "".join(map(str, say(capsys, *words)))
    assert Keyring(folder).own.secret not in said
    before = Keyring(folder).own.secret
    said = "".join(map(str, say(capsys, "rotate")))
    assert before not in said and Keyring(folder).own.secret not in said
