from __future__ import annotations

from pathlib import Path

from penstock.link.ledger import Cargo, Run
from penstock.link.link import Link
from penstock.message import letter
from penstock.message.codec import Encoder, join
from penstock.pipeline.reference import Reference
from penstock.runtime import control
from penstock.runtime.worker.tapper import Tapper


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def tapper(folder: Path, clock: Clock) -> Tapper:
    assignment = control.Assignment(
        version=control.VERSION, run="demo-1", pipeline="demo", stage="src", kind="source", replica=0,
        replicas=1, number=7, code=Reference("", "app", "run"), outlets=[], inlinks=[],
        run_dir=str(folder), state_dir=str(folder),
    )  # fmt: skip
    link = Link(id=2, target="work", max_failures=3, word=0)
    return Tapper(link, assignment, rate=2.0, whole=lambda cargo: join(cargo.payloads), clock=clock)


def cargo(first: int, *values: object) -> Cargo:
    return Cargo([Encoder(None).encode(value) for value in values], [Run(None, "src/0", first, len(values))])


def test_the_first_of_a_batch_is_shown_as_it_is(tmp_path: Path) -> None:
    tapper(tmp_path, Clock())(cargo(5, "five", "six"))
    [path] = tmp_path.iterdir()
    sample = letter.read(path)
    assert (path.name, sample.id, sample.link, sample.value()) == ("7.2.tap", "src/0:5", "src→work", "five")
    assert sample.attempts == 1


def test_the_next_is_made_when_its_time_has_come_and_the_last_was_taken(tmp_path: Path) -> None:
    clock, path = Clock(), tmp_path / "7.2.tap"
    tap = tapper(tmp_path, clock)
    tap(cargo(0, "a"))
    clock.now += 0.5
    tap(cargo(1, "b"))
    assert letter.read(path).value() == "a"  # nobody has taken it
    path.unlink()
    tap(cargo(2, "c"))
    path.unlink()
    tap(cargo(3, "d"))
    assert not path.exists()  # too soon
    clock.now += 0.5
    tap(cargo(4, "e"))
    assert letter.read(path).value() == "e"
    tap.close()
    tap.close()
    assert list(tmp_path.iterdir()) == []


def test_where_there_is_no_room_nothing_is_shown_and_nobody_hurt(tmp_path: Path) -> None:
    tapper(tmp_path / "none", Clock())(cargo(0, "a"))
    assert list(tmp_path.iterdir()) == []
