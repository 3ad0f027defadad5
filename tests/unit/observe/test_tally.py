"""The counts of what is published, in a file that both sides map."""

from __future__ import annotations

from pathlib import Path

from penstock.observe.tally import DELIVERED, MORE, OFFERED, PUBLISHED, ROWS, Tally


def test_what_one_counts_the_other_reads(tmp_path: Path) -> None:
    path = str(tmp_path / "1.tally")
    mine = Tally(path, create=True)
    mine.row("metrics.loss")[PUBLISHED] += 3
    mine.row("metrics.loss", "log/0")[OFFERED] += 2
    mine.row("metrics.loss", "log/0")[DELIVERED] += 1
    theirs = Tally(path)
    assert [(row.subscriber, row.topic, row.words[:2]) for row in theirs.rows()] == [
        ("", "metrics.loss", [3, 0]),
        ("log/0", "metrics.loss", [2, 1]),
    ]
    theirs.close()
    mine.close()


def test_topics_beyond_the_last_row_count_together(tmp_path: Path) -> None:
    tally = Tally(str(tmp_path / "1.tally"), create=True)
    for number in range(ROWS + 500):
        tally.row(f"t{number}")[PUBLISHED] += 1
    rows = list(tally.rows())
    assert (rows[-1].topic, rows[-1].words[PUBLISHED]) == (MORE, 501)
    assert sum(row.words[PUBLISHED] for row in rows) == ROWS + 500
    tally.close()


def test_names_may_be_long_and_of_any_script(tmp_path: Path) -> None:
    tally = Tally(str(tmp_path / "1.tally"), create=True)
    tally.row("ü" * 500)[PUBLISHED] += 1
    [row] = tally.rows()
    assert row.topic.startswith("ü" * 200)
    tally.close()
