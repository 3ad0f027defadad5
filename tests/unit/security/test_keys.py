"""Keys lie in files of their owner, a list says whose are trusted, and no secret is ever shown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from penstock.errors import UserError
from penstock.security import Keyring, Trusted
from penstock.security.curve import new_pair
from penstock.security.keys import Towards, checked, folder_of


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    keyring = Keyring(tmp_path / "keys")
    keyring.keep(new_pair())
    return keyring


def test_a_key_is_kept_in_a_file_of_its_owners(keyring: Keyring) -> None:
    assert os.stat(keyring.folder).st_mode & 0o777 == 0o700
    assert [os.stat(path).st_mode & 0o777 for path in keyring.folder.iterdir()] == [0o600]
    assert len(keyring.own.public) == len(keyring.own.secret) == 40


def test_a_secret_is_not_shown() -> None:
    pair = new_pair()
    assert pair.secret not in repr(pair) and pair.public in repr(pair)


@pytest.mark.parametrize("name", ["own.key", "trusted", "."])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_what_others_could_read_or_write_is_not_read(keyring: Keyring, name: str, mode: int) -> None:
    keyring.trust(new_pair().public, "client", "one")
    path = keyring.folder / name
    path.chmod(mode | (0o100 if path.is_dir() else 0))
    with pytest.raises(UserError, match="is open to others: chmod"):
        _ = keyring.own, keyring.trusted


def test_a_key_whose_secret_is_none_is_refused_without_being_shown(keyring: Keyring) -> None:
    path = keyring.folder / "own.key"
    secret = keyring.own.secret
    path.write_text(path.read_text().replace(secret, secret[:-1]))
    with pytest.raises(UserError, match=r"own\.key is no key") as refusal:
        _ = keyring.own
    assert secret[:-1] not in str(refusal.value)


def test_who_is_trusted_is_listed_and_not_any_more_when_revoked(keyring: Keyring) -> None:
    keys = [new_pair().public for _ in range(3)]
    for key, role in zip(keys, ("worker", "client", "observer"), strict=True):
        keyring.trust(key, role, f"the-{role}")
    assert keyring.revoke("the-client") == [Trusted("client", keys[1], "the-client")]
    keyring.revoke(keys[0])
    assert keyring.trusted == [Trusted("observer", keys[2], "the-observer")]
    with pytest.raises(UserError, match="no key or name 'the-client' is trusted"):
        keyring.revoke("the-client")


def test_a_server_may_have_two_keys_under_one_name_until_one_is_revoked(keyring: Keyring) -> None:
    old, new = (new_pair().public for _ in range(2))
    for key in (old, new):
        keyring.trust(key, "server", "hub")
    assert keyring.towards("hub") == Towards(keyring, old, (new,))
    with pytest.raises(UserError, match="another key is called 'hub'"):
        keyring.trust(new_pair().public, "client", "hub")
    assert [each.public for each in keyring.revoke("hub")] == [old, new]


def test_a_key_has_one_role_and_a_name_one_key(keyring: Keyring) -> None:
    key = new_pair().public
    keyring.trust(key, "client", "one")
    keyring.trust(key, "worker", "one")
    assert keyring.trusted == [Trusted("worker", key, "one")]
    with pytest.raises(UserError, match="another key is called 'one'"):
        keyring.trust(new_pair().public, "client", "one")


@pytest.mark.parametrize(
    ("key", "role", "name", "says"),
    [
        ("short", "client", "a", "no public key"),
        ("#" * 40, "client", "a", "no public key"),
        (None, "king", "a", "there is no role 'king'"),
        (None, "client", "two words", "is no name"),
        (None, "client", "", "is no name"),
    ],
)
def test_what_cannot_be_trusted_says_why(
    keyring: Keyring, key: str | None, role: str, name: str, says: str
) -> None:
    with pytest.raises(UserError, match=says):
        keyring.trust(key or new_pair().public, role, name)


def test_a_list_with_a_wrong_line_names_it(keyring: Keyring) -> None:
    keyring.trust(new_pair().public, "client", "one")
    with open(keyring.folder / "trusted", "a", encoding="utf-8") as file:
        file.write("client only-two\n")
    with pytest.raises(UserError, match=r"trusted:3: a line is a role, a public key and a name"):
        _ = keyring.trusted


def test_without_a_key_it_is_said_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="make one: penstock keys new"):
        _ = Keyring(tmp_path).own


def test_a_server_is_meant_by_name_or_key_and_must_be_known(keyring: Keyring) -> None:
    hub, stranger = new_pair().public, new_pair().public
    keyring.trust(hub, "server", "hub")
    assert keyring.towards("hub").server == keyring.towards(hub).server == hub
    assert keyring.towards(stranger).server == stranger
    with pytest.raises(UserError, match=r"no server 'hob' is trusted .*servers there: hub"):
        keyring.towards("hob")


def test_a_server_is_not_let_in_anywhere(keyring: Keyring) -> None:
    assert keyring.admitting().roles == ("worker", "client", "observer")
    for role in ("server", "guest"):
        with pytest.raises(UserError, match="cannot be let in"):
            keyring.admitting(role)


def test_keys_lie_where_the_environment_says() -> None:
    assert folder_of({"PENSTOCK_KEYS": "/k"}) == Path("/k")
    assert folder_of({"XDG_CONFIG_HOME": "/c"}) == Path("/c/penstock/keys")
    assert folder_of({}) == Path.home() / ".config/penstock/keys"


def test_every_key_that_is_made_is_one() -> None:
    for _ in range(50):
        public = new_pair().public
        assert checked(public) == public
