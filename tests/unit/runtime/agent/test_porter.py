"""What lies on a host that joins goes to the first one, and is let go of when that has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from penstock.errors import PeerError
from penstock.message import letter
from penstock.runtime import hostwire
from penstock.runtime.agent.porter import Porter


def a_letter(folder: Path) -> Path:
    return letter.write(
        folder, letter.Letter("s/0:1", "p", "work", "s→work", 1, 1, "no", "", 1.0, b"payload")
    )


def test_letters_that_an_earlier_stay_has_left_are_brought_and_let_go_of_when_they_are_there(
    tmp_path: Path,
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    before, mine = tmp_path / "hosts/h2/dead", tmp_path / "hosts/h2-2/dead"
    left = a_letter(before)
    mine.mkdir(parents=True)
    (mine / "1-work-2.requeued").touch()
    said: list[Any] = []
    porter = Porter(str(run), str(mine.parent), said.append)
    assert list(mine.iterdir()) == [], "the first host has what it had lent, and asks again"
    assert said == [], "the first host does not know yet that we are there"
    new = a_letter(mine)
    (run / "7.3.tap").write_bytes(b"sample")
    for _ in range(2):
        porter.look()
    names = [f"dead/{left.name}", f"dead/{new.name}", "tap/7.3.tap"]
    assert sorted(each.path for each in said) == sorted(names), "each once"
    assert porter.left == 2
    porter.take(hostwire.Give(names[0], 0))
    data = left.read_bytes()
    assert said.pop() == hostwire.Load(names[0], 0, len(data), data)
    for name in names:
        porter.take(hostwire.Got(name))
    assert not left.exists() and not new.exists() and not (run / "7.3.tap").exists() and porter.left == 0
    with pytest.raises(PeerError):
        porter.take(hostwire.Give("dead/../../x", 0))
    porter.close()


def test_a_letter_that_was_put_back_is_laid_out_for_the_workers_and_told_when_it_is_over(
    tmp_path: Path,
) -> None:
    said: list[Any] = []
    porter = Porter(str(tmp_path), str(tmp_path / "hosts/h2"), said.append)
    here = tmp_path / "hosts/h2/dead/1-work-2.requeued"
    porter.take(hostwire.Have(f"dead/{here.name}"))
    assert said.pop() == hostwire.Give(f"dead/{here.name}", 0)
    porter.take(hostwire.Load(f"dead/{here.name}", 0, 3, b"abc"))
    porter.look()
    assert here.read_bytes() == b"abc" and said == []
    here.unlink()
    porter.look()
    assert said == [hostwire.Got(f"dead/{here.name}")]
    porter.close()
