from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.environments import lockedlines
from penstock.errors import BadSpec

LOCKED = """\
--find-links here
alpha==1 ; python_version < "3.10" \\
    --hash=sha256:aa \\
    --hash=sha256:bb
beta==2 \\
    --hash=sha256:cc
lib @ git+https://x/lib@0123456789012345678901234567890123456789
./near.whl \\
    --hash=sha256:dd
tool @ https://x/tool.whl
"""


def test_what_stays_has_no_options_no_paths_and_no_hashes_that_are_said_anew() -> None:
    left = lockedlines.lasting(LOCKED, ["beta sha256:ee"])
    assert left.splitlines() == [
        'alpha==1 ; python_version < "3.10" \\',
        "    --hash=sha256:aa \\",
        "    --hash=sha256:bb",
        "beta==2",
        "lib @ git+https://x/lib@0123456789012345678901234567890123456789",
        "tool @ https://x/tool.whl",
    ]


def test_what_nobody_sees_change_is_known() -> None:
    assert lockedlines.unhashed(LOCKED) == ["tool @ https://x/tool.whl"]


@given(st.sets(st.sampled_from(["sha256:aa", "sha256:bb", "sha256:zz", "sha512:aa"]), min_size=1))
def test_only_hashes_that_are_said_are_left(said: set[str]) -> None:
    hashes = [f"alpha {each}" for each in said]
    if not said & {"sha256:aa", "sha256:bb"}:
        with pytest.raises(BadSpec, match=r"a\.txt: alpha==1"):
            lockedlines.narrowed(LOCKED, hashes, "a.txt")
        return
    found = lockedlines.narrowed(LOCKED, hashes, "a.txt")
    gone = {"sha256:aa", "sha256:bb"} - said
    assert all(each not in found for each in gone)
    assert [lockedlines.head(each) for each in lockedlines.entries(found)] == [
        lockedlines.head(each) for each in lockedlines.entries(LOCKED)
    ]


@pytest.mark.parametrize(
    "line", ["-e ../lib", "./lib", "../lib", "/lib", "file:///lib", "lib @ file:///lib", "lib @ ../lib ; x"]
)
def test_a_path_is_known_in_all_its_forms(line: str) -> None:
    assert lockedlines.is_local(line)
    assert not lockedlines.is_local("lib @ https://x/lib.whl")
