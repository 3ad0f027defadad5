from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from penstock.runtime.worker.hostwide import once


def test_of_many_at_once_one_does_it_and_all_come_back_after_it(tmp_path: Path) -> None:
    done: list[int] = []
    together = Barrier(8)

    def take_part(number: int) -> bool:
        together.wait()
        once(str(tmp_path / "work.host"), lambda: done.append(number))
        return bool(done)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(take_part, range(8)))
    assert len(done) == 1


def test_what_has_raised_is_tried_again_by_the_next(tmp_path: Path) -> None:
    path, done = str(tmp_path / "work.host"), []

    def fails() -> None:
        raise OSError("no network")

    for _ in range(2):
        with pytest.raises(OSError, match="no network"):
            once(path, fails)
    once(path, lambda: done.append(1))
    once(path, fails)
    assert done == [1]
