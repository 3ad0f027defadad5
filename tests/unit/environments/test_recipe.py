from __future__ import annotations

import os
import sys

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from penstock.environments import interpreters
from penstock.environments.lock import CondaRecord, Locked, Pins
from penstock.environments.recipe import recipe

PROBE = interpreters.probe(sys.executable, os.environ)
LOCKED = Locked(kind="requirements", digest="d", python="3.11", pip="alpha==1.0 \\\n    --hash=sha256:ab\n")


def key(
    locked: Locked = LOCKED, pins: Pins | None = None, platform: str = "linux-64", folder: str = "/a"
) -> str:
    return recipe(locked, pins or Pins(), platform=platform, folder=folder, base="/py", found=PROBE).key


def package(name: str, sha256: str) -> CondaRecord:
    return CondaRecord(
        name=name,
        version="1",
        build="0",
        subdir="noarch",
        channel="c",
        fn=name,
        sha256=sha256,
    )


def test_the_key_is_of_what_is_in_it_and_of_nothing_else() -> None:
    other = {
        "digest": "other",
        "channels": ["elsewhere"],
        "pip": "# said\n--index-url https://mirror/simple\nalpha==1.0 --hash=sha256:ab\n",
    }
    assert len(key()) == 16
    assert key(msgspec.structs.replace(LOCKED, **other), folder="/b") == key()


def test_other_packages_variables_pythons_and_platforms_are_other_environments() -> None:
    replace = msgspec.structs.replace
    newer = replace(PROBE, version="3.11.99")
    keys = {
        key(),
        key(replace(LOCKED, pip="alpha==2.0 --hash=sha256:cd\n")),
        key(replace(LOCKED, pip="alpha==1.0 --hash=sha256:cd\n")),
        key(replace(LOCKED, pip=f"--no-binary alpha\n{LOCKED.pip}")),
        key(replace(LOCKED, pip=f"--only-binary alpha\n{LOCKED.pip}")),
        key(replace(LOCKED, variables={"A": "b"})),
        key(pins=Pins(conda=[package("zlib", "ab")])),
        key(platform="linux-aarch64"),
        recipe(LOCKED, Pins(), platform="linux-64", folder="/a", base="/py", found=newer).key,
    }
    assert len(keys) == 9


@given(st.permutations([package("a", "1"), package("b", "2"), package("c", "3")]))
def test_any_order_of_packages_is_one_environment(records: list[CondaRecord]) -> None:
    assert key(pins=Pins(conda=records)) == key(pins=Pins(conda=sorted(records, key=lambda each: each.name)))
