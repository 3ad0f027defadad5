"""Dead letters in the store: each is in one place, whatever is cut short, until somebody decides."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import EnvironmentFault
from penstock.message import letter
from penstock.message.codec import Encoder
from penstock.message.letter import Letter
from penstock.tasks import letters
from penstock.tasks.files import INLINE
from penstock.tasks.home import Home, beside
from penstock.tasks.letters import Letters

LARGE = b"x" * (INLINE + 1)


class Desk:
    """A pipeline's folder of letters, and a store."""

    def __init__(self, directory: Path) -> None:
        self.folder = directory / ".penstock" / "demo" / "dead"
        self.home = beside(str(self.folder.parent), {})

    def dies(self, item: str, value: object = 1) -> str:
        """As a worker writes it; the name of its letter."""
        payload = b"\x91" + Encoder(None).encode(value)
        where: dict[str, Any] = {"pipeline": "demo", "stage": "detect", "link": "camera→detect"}
        how: dict[str, Any] = {"attempts": 4, "failures": 4, "cause": "bad", "traceback": "", "when": 1.0}
        return letter.write(self.folder, Letter(id=item, payload=payload, **where, **how)).stem

    @contextmanager
    def look(self) -> Iterator[Letters]:
        """As whoever looks has them."""
        with letters.opened(self.home, [self.folder]) as found:
            yield found

    def dead(self) -> list[str]:
        """The items that are dead."""
        with self.look() as found:
            return sorted(each.item for each in found.all())

    def returning(self) -> list[str]:
        """Those that were put back."""
        return sorted(letter.read(path).id for path in letter.list_requeued(self.folder))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize("value", [{"n": 1}, LARGE], ids=["small", "large"])
def test_who_looks_has_them_in_the_store_with_all_that_is_in_them(desk: Desk, value: object) -> None:
    name = desk.dies("camera/0:17", value)
    with desk.look() as found:
        (one,) = found.all()
        whole = found.whole(name)
    assert (one.name, one.item, one.stage, one.cause) == (name, "camera/0:17", "detect", "bad")
    assert whole is not None and whole.value() == value
    assert letter.list_letters(desk.folder) == []
    assert [each.id for each in letters.of(desk.home, desk.folder, "demo")] == ["camera/0:17"]
    assert letters.of(desk.home, desk.folder, "other") == []


@pytest.mark.parametrize("value", [1, LARGE], ids=["small", "large"])
def test_what_is_put_back_is_a_file_for_workers_and_no_dead_letter(desk: Desk, value: object) -> None:
    name = desk.dies("camera/0:1", value)
    with desk.look() as found:
        path = found.put_back(name, desk.folder)
        assert path is not None and letter.read(path).value() == value
        assert found.put_back(name, desk.folder) is None, "it is there once"
        assert list(found.all()) == []
    assert desk.returning() == ["camera/0:1"]
    assert not os.path.exists(desk.home.files) or os.listdir(desk.home.files) == []


def test_what_is_discarded_is_gone_with_its_file(desk: Desk) -> None:
    large, small = desk.dies("camera/0:1", LARGE), desk.dies("camera/0:2")
    with desk.look() as found:
        assert found.discard([large, "unknown"]) == [large]
        assert [each.name for each in found.all()] == [small]
    assert os.listdir(desk.home.files) == []


def test_what_is_no_letter_stays_where_it_is(desk: Desk) -> None:
    desk.dies("camera/0:1")
    (desk.folder / "1-x-1.letter").write_bytes(b"dear diary")
    assert desk.dead() == ["camera/0:1"]
    assert (desk.folder / "1-x-1.letter").read_bytes() == b"dear diary"


def test_a_letter_that_somebody_else_moves_just_now_is_left_to_them(desk: Desk) -> None:
    name = desk.dies("camera/0:1")
    child = os.fork()
    if child == 0:
        letter.claim(desk.folder / f"{name}.letter")
        os.kill(os.getpid(), 19)  # stopped, with the lock, until it is killed
    os.waitpid(child, os.WUNTRACED)
    assert desk.dead() == []
    os.kill(child, 9)
    os.waitpid(child, 0)
    assert desk.dead() == ["camera/0:1"]


def test_a_store_that_cannot_be_opened_is_named_and_the_letters_stay(desk: Desk) -> None:
    desk.dies("camera/0:1")
    Path(desk.home.store).mkdir()
    with pytest.raises(EnvironmentFault, match=r"jobs\.db, cannot be opened"):
        desk.dead()
    assert len(letter.list_letters(desk.folder)) == 1


class Cut(BaseException):
    """The power is gone."""


@contextmanager
def cut_at(step: int) -> Iterator[None]:
    """The ``step``-th time that a file gets or loses a name does not come to pass, nor does what follows."""
    patch, left = pytest.MonkeyPatch(), [step]

    def cut(real: Callable[..., Any]) -> Callable[..., Any]:
        def instead(*args: Any, **named: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise Cut
            return real(*args, **named)

        return instead

    for place, name in ((os, "link"), (os, "rename"), (os, "unlink"), (Path, "unlink")):
        patch.setattr(place, name, cut(getattr(place, name)))
    try:
        yield
    except Cut:
        pass
    finally:
        patch.undo()


MOVES = st.tuples(st.sampled_from(["look", "put back", "die"]), st.booleans(), st.integers(0, 6))


@settings(max_examples=40)
@given(st.lists(MOVES, max_size=8))
def test_wherever_it_is_cut_short_each_letter_is_in_one_place_in_the_end(
    moves: list[tuple[str, bool, int]],
) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:  # forty times some fsyncs
        desk, died = Desk(Path(directory)), 0
        for move, is_large, step in moves:
            if move == "die":
                desk.dies(f"camera/0:{died}", LARGE if is_large else 1)
                died += 1
                continue
            with cut_at(step), desk.look() as found:
                if move == "put back":
                    for each in list(found.all()):
                        found.put_back(each.name, desk.folder)
        everything = sorted(f"camera/0:{number}" for number in range(died))
        assert sorted(desk.dead() + desk.returning()) == everything
        assert {path.suffix for path in desk.folder.glob("*")} <= {".requeued", ".draft"}


def test_they_lie_with_the_jobs_of_their_app(tmp_path: Path) -> None:
    assert beside(str(tmp_path / ".penstock" / "demo"), {}) == Home(str(tmp_path / ".penstock" / "jobs.db"))
    assert beside(str(tmp_path / "state"), {}) == Home(str(tmp_path / "state" / "jobs.db"))
    elsewhere = {"PENSTOCK_JOBS": str(tmp_path / "x.db")}
    assert beside(str(tmp_path / "state"), elsewhere) == Home(str(tmp_path / "x.db"))
    assert beside(str(tmp_path / ".penstock" / "demo"), elsewhere) == Home(str(tmp_path / "x.db"))
