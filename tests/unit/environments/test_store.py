from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest

from penstock import lockfile
from penstock.cli import envclean
from penstock.environments import interpreters
from penstock.environments.activation import Activation
from penstock.environments.store import Marker, Store, size
from penstock.errors import BuildFailed

PROBE = interpreters.probe(sys.executable, os.environ)


def put(store: Store, key: str, created: float = 1.0) -> None:
    Path(store.prefix(key)).mkdir(parents=True)
    store.mark(
        Marker(
            key=key,
            kind="requirements",
            probe=msgspec.structs.replace(PROBE, prefix=store.prefix(key)),
            activation=Activation(),
            seconds={},
            bytes=0,
            created=created,
        )
    )


def test_it_lies_where_the_user_says_or_among_their_caches() -> None:
    assert Store.of({"PENSTOCK_CACHE_DIR": "/big/cache"}).envs == "/big/cache/envs"
    assert Store.of({"PENSTOCK_CACHE_DIR": "~/big"}).root == os.path.expanduser("~/big")
    assert Store.of({"XDG_CACHE_HOME": "/caches"}).root == "/caches/penstock"
    assert Store.of({}).root == os.path.expanduser("~/.cache/penstock")


def test_without_its_marker_it_is_no_environment(store: Store) -> None:
    Path(store.prefix("half")).mkdir(parents=True)
    put(store, "whole")
    assert store.marker("half") is None
    assert store.use("half") is None
    assert [entry.marker.key for entry in store.entries()] == ["whole"]
    assert store.halves() == ["half"]
    (Path(store.prefix("whole")) / ".penstock.json").write_text("{")
    assert store.entries() == []


def test_what_is_used_is_not_removed(store: Store) -> None:
    put(store, "key")
    one, other = store.use("key", folder="/app", name="torch"), store.use("key")
    assert one is not None
    assert other is not None
    [entry] = store.entries()
    assert entry.is_held
    assert entry.users == {"/app": "torch"}
    os.close(one)
    assert not store.remove("key")
    os.close(other)
    assert not store.entries()[0].is_held
    assert store.remove("key")
    assert store.entries() == []


def test_the_last_used_is_first(store: Store) -> None:
    for key, created in (("old", 1.0), ("new", 2.0)):
        put(store, key, created)
    assert [entry.marker.key for entry in store.entries()] == ["new", "old"]
    held = store.use("old", folder="/app", name="x")
    assert [entry.marker.key for entry in store.entries()] == ["old", "new"]
    assert held is not None
    os.close(held)


def test_who_uses_it_waits_for_who_makes_it(store: Store) -> None:
    held = store.build_lock("key")
    found: list[int | None] = []
    waiting = threading.Thread(target=lambda: found.append(store.use("key")))
    waiting.start()
    put(store, "key")
    os.close(held)
    waiting.join(30)
    assert found
    assert found[0] is not None
    os.close(found[0])


def test_a_lock_is_held_by_what_was_started_with_it(store: Store) -> None:
    held = store.build_lock("key")
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=[held])
    os.close(held)
    assert not store.remove("key")
    child.communicate()
    assert store.remove("key")


def test_a_lock_that_is_given_back_is_free_whatever_was_started_with_it(store: Store) -> None:
    held = store.build_lock("key")
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=[held]):
        lockfile.give_back(held)
        assert store.remove("key")


def test_a_cache_is_the_same_by_another_path_and_another_one_where_it_was_moved(
    store: Store, tmp_path: Path
) -> None:
    put(store, "key")
    (tmp_path / "link").symlink_to(store.root)
    assert Store(str(tmp_path / "link")).marker("key") == store.marker("key")
    os.rename(store.root, tmp_path / "moved")
    assert Store(str(tmp_path / "moved")).marker("key") is None


def test_what_is_used_where_it_can_only_be_read_is_not_removed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, "key")
    os.close(store.build_lock("key"))
    really = os.open

    def read_only(path: str, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_RDWR:
            raise OSError(errno.EROFS, "Read-only file system")
        return really(path, flags, mode)

    with monkeypatch.context() as there:
        there.setattr(os, "open", read_only)
        held = store.use("key")
    assert held is not None
    assert not store.remove("key")
    os.close(held)
    assert store.remove("key")


def test_what_another_version_has_made_goes_by_its_age_and_halves_at_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTOCK_CACHE_DIR", store.root)
    for key in ("other", "half"):
        put(store, key)
    (Path(store.prefix("other")) / ".penstock.json").write_text('{"of": "another version"}')
    (Path(store.prefix("half")) / ".penstock.json").unlink()
    assert [each["key"] for each in envclean.clean(3600, dry_run=False)] == ["half"]
    assert [each["key"] for each in envclean.clean(0, dry_run=False)] == ["other"]
    assert not os.path.exists(store.prefix("other"))


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_a_cache_that_is_only_read_is_used_and_named_where_it_should_be_written(store: Store) -> None:
    put(store, "key")
    os.chmod(store.envs, stat.S_IRUSR | stat.S_IXUSR)
    held = store.use("key", folder="/app", name="x")
    assert held is not None
    os.close(held)
    with pytest.raises(BuildFailed, match="PENSTOCK_CACHE_DIR says where"):
        store.build_lock("other")


def test_a_cache_that_cannot_be_written_is_named_with_its_variable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        BuildFailed, match=r"nothing can be written in .*/file: Not a directory; PENSTOCK_CACHE"
    ):
        Store(str(tmp_path / "file")).build_lock("key")


def test_a_scratch_folder_is_gone_afterwards(store: Store) -> None:
    with store.scratch() as folder:
        (Path(folder) / "x").write_text("")
    assert not os.path.exists(folder)


def test_a_file_of_two_names_has_one_size(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 8192)
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    assert size(str(tmp_path)) == (tmp_path / "a").stat().st_blocks * 512


def test_a_scratch_is_kept_while_it_is_used_and_swept_where_its_user_was_killed(store: Store) -> None:
    with store.scratch() as first:
        left = Path(first).with_name("left")
        (left / "prefix").mkdir(parents=True)
        with store.scratch() as second:
            assert sorted(os.listdir(Path(first).parent)) == sorted([Path(first).name, Path(second).name])
    assert os.listdir(Path(first).parent) == []


def test_who_has_looked_for_what_is_not_there_is_in_nobodys_way(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = []

    def shared_with_a_program_that_begins(path: str, **how: bool) -> int:
        copies.append(os.dup(found := take(path, **how)))
        return found

    take = lockfile.take
    monkeypatch.setattr(lockfile, "take", shared_with_a_program_that_begins)
    os.makedirs(store.envs)
    assert store.use("key") is None
    lockfile.give_back(store.build_lock("key", wait=False))
    for copy in copies:
        os.close(copy)
