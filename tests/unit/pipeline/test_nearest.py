from __future__ import annotations

from penstock.pipeline.nearest import nearest


def test_a_slip_is_corrected() -> None:
    assert nearest("claen", ["clean", "camera"]) == "; did you mean 'clean'?"


def test_another_case_is_near_however_short_the_name() -> None:
    assert nearest("B", ["a", "b", "c"]) == "; did you mean 'b'?"


def test_what_is_far_from_all_is_answered_with_what_there_is() -> None:
    assert nearest("xyz", ["clean", "camera"]) == "; there is 'camera', 'clean'"


def test_a_long_list_is_not_recited() -> None:
    assert nearest("xyz", [f"stage_{number}" for number in range(50)]) == ""


def test_where_there_is_nothing_nothing_is_said() -> None:
    assert nearest("xyz", []) == ""
