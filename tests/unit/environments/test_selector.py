from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.environments.platforms import PLATFORMS
from penstock.environments.selector import applies, words

WORD = st.sampled_from(sorted(words("linux-64")))
EXPRESSION = st.recursive(
    WORD,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda parts: f"({' '.join(parts)})"),
        inner.map(lambda part: f"(not {part})"),
    ),
)


@given(EXPRESSION, st.sampled_from(PLATFORMS))
def test_a_selector_means_what_python_means_by_it(expression: str, platform: str) -> None:
    assert applies(expression, platform) is eval(expression, {}, dict(words(platform)))


@given(st.text(max_size=30))
def test_anything_else_is_refused(text: str) -> None:
    with suppress(ValueError):
        assert applies(text, "linux-64") in {True, False}


def test_what_has_none_is_for_all() -> None:
    assert all(applies("", platform) for platform in PLATFORMS)


@pytest.mark.parametrize("text", ["linux or __import__('os')", "linux and 1", "linux(win)", "win.linux"])
def test_nothing_in_a_selector_is_run(text: str) -> None:
    with pytest.raises(ValueError, match="selector"):
        applies(text, "linux-64")
