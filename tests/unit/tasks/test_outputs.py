"""What jobs write: an attempt's own directory, until it is the job's."""

from __future__ import annotations

from pathlib import Path

from penstock.tasks import outputs


def test_what_is_published_is_there_as_a_whole_and_in_place_of_what_was(tmp_path: Path) -> None:
    draft, place = tmp_path / ".a.2", tmp_path / "a"
    for text in ("old", "new"):
        draft.mkdir()
        (draft / text).write_text(text)
        outputs.publish(str(draft), str(place))
    assert [path.name for path in place.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_who_wrote_nothing_publishes_nothing(tmp_path: Path) -> None:
    outputs.publish(str(tmp_path / ".a.1"), str(tmp_path / "a"))
    outputs.discard(str(tmp_path / ".a.1"))
    assert not list(tmp_path.iterdir())


def test_what_a_failed_attempt_wrote_goes(tmp_path: Path) -> None:
    (tmp_path / ".a.1" / "deep").mkdir(parents=True)
    outputs.discard(str(tmp_path / ".a.1"))
    assert not list(tmp_path.iterdir())
