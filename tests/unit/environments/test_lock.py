from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.environments import lock
from penstock.environments.lock import CondaRecord, Lock, Locked, Pins
from penstock.errors import StaleLock, UserError

TORCH = Locked(
    kind="requirements",
    digest="d1",
    python="3.13",
    pip="--index-url https://pypi.example/simple\nnumpy==2.4.6 \\\n    --hash=sha256:abc\n",
    platforms={"linux-64": Pins()},
)
RECORD = CondaRecord(
    name="zlib",
    version="1.3",
    build="h1_0",
    subdir="linux-64",
    depends=["libc >=2"],
    channel="https://conda.example/forge",
    fn="zlib-1.3-h1_0.conda",
    sha256="ab",
)
VISION = Locked(
    kind="conda",
    digest="d2",
    channels=["conda-forge"],
    variables={"FLAG": "yes"},
    platforms={"linux-64": Pins(virtual_packages=["__glibc >=2.17"], conda=[RECORD])},
)


def test_the_file_reads_as_it_was_written_and_is_written_once(tmp_path: Path) -> None:
    path = str(tmp_path / "penstock.lock")
    whole = Lock(envs={"torch": TORCH, "vision": VISION})
    assert lock.read(path) == Lock()
    assert lock.write(path, whole)
    assert lock.read(path) == whole
    assert not lock.write(path, Lock(envs={"vision": VISION, "torch": TORCH}))
    assert [each.name for each in tmp_path.iterdir()] == ["penstock.lock"]


def test_the_file_is_made_to_be_reviewed() -> None:
    text = lock.as_text(Lock(envs={"vision": VISION, "torch": TORCH}))
    assert (
        text
        == """\
# Made by `penstock env lock`. Review it, keep it with the code, leave it as it is.
version = 1

[envs.torch]
kind = "requirements"
digest = "d1"
python = "3.13"
pip = \'\'\'
--index-url https://pypi.example/simple
numpy==2.4.6 \\
    --hash=sha256:abc
\'\'\'

[envs.torch.platforms.linux-64]

[envs.vision]
kind = "conda"
digest = "d2"
channels = ["conda-forge"]

[envs.vision.variables]
FLAG = "yes"

[envs.vision.platforms.linux-64]
virtual_packages = ["__glibc >=2.17"]

[[envs.vision.platforms.linux-64.conda]]
name = "zlib"
version = "1.3"
build = "h1_0"
subdir = "linux-64"
depends = ["libc >=2"]
channel = "https://conda.example/forge"
fn = "zlib-1.3-h1_0.conda"
sha256 = "ab"
"""
    )


ANYTHING = st.text(st.characters(exclude_categories=["Cs"]))


@given(
    st.dictionaries(
        ANYTHING,
        st.builds(
            Locked,
            kind=st.sampled_from(["conda", "requirements", "project", "lockfile"]),
            digest=ANYTHING,
            pip=ANYTHING,
            channels=st.lists(ANYTHING, max_size=3),
            variables=st.dictionaries(ANYTHING, ANYTHING, max_size=2),
            platforms=st.dictionaries(
                ANYTHING,
                st.builds(Pins, virtual_packages=st.lists(ANYTHING, max_size=2).map(sorted)),
                max_size=2,
            ),
        ),
        max_size=2,
    )
)
def test_any_text_in_it_comes_back_as_it_was(envs: dict[str, Locked]) -> None:
    whole = Lock(envs=envs)
    assert lock.parse(lock.as_text(whole), "penstock.lock") == whole


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("version = 1\n[envs.a\n", r"penstock\.lock:2: this is not TOML: .*; run `penstock env lock`"),
        ("version = 2\n", r"penstock\.lock:1: version=2: this penstock reads version 1; .*newer penstock"),
        ("", r"penstock\.lock:1: version=None"),
        (
            "version = 1\n\n[envs.a]\nkind = 'conda'\ndigest = 3\n",
            r"penstock\.lock:3: Expected `str`, got `int` in \$\.envs",
        ),
        (
            "version = 1\n[envs.a]\nkind = 'conda'\ndigest = ''\nfuture = 1\n",
            r"penstock\.lock:2: Object contains unknown field `future`",
        ),
    ],
)
def test_what_is_wrong_in_it_is_one_sentence_with_its_line(text: str, sentence: str) -> None:
    with pytest.raises(StaleLock, match=sentence):
        lock.parse(text, "penstock.lock")


def test_what_others_lock_at_the_same_time_stays(tmp_path: Path) -> None:
    path = str(tmp_path / "penstock.lock")
    names = [f"env{number}" for number in range(16)]
    lock.write(path, Lock(envs={"gone": TORCH}))
    with ThreadPoolExecutor(len(names)) as threads:
        list(threads.map(lambda name: lock.update(path, name, TORCH, names), names))
    assert lock.read(path) == Lock(envs=dict.fromkeys(names, TORCH))


def test_a_file_that_is_a_link_stays_one_with_its_mode(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("")
    (tmp_path / "real").chmod(0o640)
    (tmp_path / "link").symlink_to("real")
    lock.put(str(tmp_path / "link"), "größe 🌊\n")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text(encoding="utf-8") == "größe 🌊\n"
    assert (tmp_path / "real").stat().st_mode & 0o777 == 0o640


def test_a_file_that_cannot_be_read_or_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        lock.read(str(tmp_path))
    with pytest.raises(UserError, match="cannot be written: No such file or directory"):
        lock.write(str(tmp_path / "gone" / "penstock.lock"), Lock())


def test_a_lock_is_stale_by_what_it_was_made_from_or_for() -> None:
    assert lock.stale("torch", "d1", TORCH, "linux-64") == ""
    assert lock.stale("torch", "d1", None, "linux-64") == (
        "the environment 'torch' is not in penstock.lock; run `penstock env lock torch`"
    )
    assert "has changed since it was locked" in lock.stale("torch", "d9", TORCH, "linux-64")
    elsewhere = lock.stale("torch", "d1", TORCH, "linux-aarch64")
    assert "is locked for linux-64, and this is linux-aarch64; say platforms" in elsewhere
    everywhere = Locked(kind="project", digest="d1", platforms={lock.ANY: Pins()})
    assert lock.stale("torch", "d1", everywhere, "osx-arm64") == ""
