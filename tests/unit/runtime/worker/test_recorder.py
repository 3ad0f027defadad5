"""What goes out by a link the first time is in its file, and nothing else of the worker is touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from penstock.link.ledger import Cargo, Run
from penstock.link.link import Link
from penstock.message.arena import Arena
from penstock.message.codec import Decoder, Encoder
from penstock.message.segment import Segment
from penstock.pipeline.reference import Reference
from penstock.runtime import control
from penstock.runtime.worker.recorder import Recorders


def recorders(folder: Path, link: Link, said: list[Any]) -> Recorders:
    assignment = control.Assignment(
        version=control.VERSION, run="demo-1", pipeline="demo", stage="src", kind="source", replica=0,
        replicas=1, number=7, code=Reference("", "app", "run"), outlets=[], inlinks=[],
        run_dir=str(folder), state_dir=str(folder),
    )  # fmt: skip
    made = Recorders(assignment, {link.id: link}, arena=Arena("", 0), say=said.append)
    made.wish(control.Record([link.id], str(folder)))
    return made


def cargo(first: int, *values: object) -> Cargo:
    return Cargo([Encoder(None).encode(value) for value in values], [Run(None, "src/0", first, len(values))])


def link() -> Link:
    return Link(id=2, target="work", max_failures=3, word=0)


def show(out: Link, cargo: Cargo) -> None:
    assert out.tap is not None
    out.tap(cargo)


def items(folder: Path) -> list[tuple[str, Any]]:
    found = Segment(str(folder / "2.7.segment"))
    return [(each.id, each.value(Decoder())) for chunk in found.chunks() for each in chunk.entries()]


def test_what_goes_out_is_there_at_once_and_what_goes_again_is_not(tmp_path: Path) -> None:
    out = link()
    said: list[Any] = []
    kept = recorders(tmp_path, out, said)
    first = cargo(5, "five", "six")
    show(out, first)
    assert items(tmp_path) == [("src/0:5", "five"), ("src/0:6", "six")]
    show(out, first.single(1))
    assert len(items(tmp_path)) == 2
    kept.wish(control.Record([], ""))
    kept.close()
    assert said == [control.Recorded(2)] and out.tap is None


def test_it_looks_beside_a_tap_and_neither_ends_the_other(tmp_path: Path) -> None:
    out = link()
    seen: list[Cargo] = []
    kept = recorders(tmp_path, out, [])
    out.watch("tap", seen.append)
    show(out, cargo(0, "a"))
    assert len(seen) == len(items(tmp_path)) == 1
    out.watch("tap", None)
    show(out, cargo(1, "b"))
    kept.close()
    assert len(seen) == 1 and len(items(tmp_path)) == 2


def test_what_cannot_be_written_is_told_once_and_hurts_nobody(tmp_path: Path) -> None:
    out = link()
    said: list[Any] = []
    (tmp_path / "file").touch()
    recorders(tmp_path / "file" / "none", out, said)
    assert said == [control.Recorded(2, "Not a directory")] and out.tap is None
    kept = recorders(tmp_path, out, said)
    show(out, Cargo([None], [Run(None, "src/0", 0, 1)]))  # type: ignore[list-item]  # it fails, however
    assert not out._watchers and len(said) == 2 and "TypeError" in said[1].failure
    kept.close()
    assert len(said) == 2
