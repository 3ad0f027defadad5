"""The file that lets a host in."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.errors import UserError
from penstock.security import joinkey
from penstock.security.curve import new_pair
from penstock.security.joinkey import JoinKey, RunKeyring
from penstock.security.keys import Keyring


def test_a_key_file_is_its_owners_alone_and_says_whom_to_expect(tmp_path: Path) -> None:
    key = JoinKey(new_pair(), new_pair().public)
    path = tmp_path / "join.key"
    key.write(str(path))
    assert path.stat().st_mode & 0o777 == 0o600
    assert joinkey.read(str(path)) == key
    assert key.pair.secret not in repr(key)
    assert key.towards().keyring.own == key.pair
    path.chmod(0o640)
    with pytest.raises(UserError, match="chmod 600"):
        joinkey.read(str(path))


@pytest.mark.parametrize("text", ["", "public = x\n", "secret = y\nserver = z\npublic = w\n"])
def test_what_is_no_key_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "join.key"
    path.touch(0o600)
    path.write_text(text)
    with pytest.raises(UserError, match="no key file of a run"):
        joinkey.read(str(path))


def test_a_run_lets_in_whom_its_user_trusts_and_who_has_its_file(tmp_path: Path) -> None:
    users, made, invited, friend = Keyring(tmp_path / "keys"), new_pair(), new_pair(), new_pair()
    keyring = RunKeyring(users, made, invited)
    assert keyring.own == made
    assert [each.public for each in keyring.trusted] == [invited.public]
    users.keep(new_pair())
    users.trust(friend.public, "worker", "h2")
    assert keyring.own == users.own
    assert [each.public for each in keyring.trusted] == [friend.public, invited.public]
