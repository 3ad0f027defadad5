from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.environments import condafault
from penstock.environments.condawire import Failed
from penstock.errors import BadSpec, BuildFailed, EnvironmentFault, PenstockError, SourceAway

FETCHING = (
    "failed to fetch x-1-0.conda\nCaused by: failed to interact with the package cache layer.\nCaused by: "
)


@pytest.mark.parametrize(
    ("words", "kind", "sentence"),
    [
        (
            f"{FETCHING}hash mismatch when extracting http://h/x-1-0.conda to /c: expected 0, got 1",
            BuildFailed,
            "http://h/x-1-0.conda is not the package that was locked: hash mismatch when extracting",
        ),
        (f"{FETCHING}No space left on device (os error 28)", BuildFailed, "the disk is full"),
        (
            "failed to write\nCaused by: Read-only file system (os error 30)",
            BuildFailed,
            "the cache of environments cannot be written: Read-only file system (os error 30)",
        ),
        (
            "no usable repodata cache for http://h/c/linux-64/",
            SourceAway,
            "what http://h/c/linux-64/ has is not in the cache, and conda is to stay offline",
        ),
        (
            "HTTP status client error (401 Unauthorized) for url (http://h/noarch/repodata.json)",
            SourceAway,
            "http://h/noarch/repodata.json refuses us; write it into ~/.netrc",
        ),
        (
            f"{FETCHING}HTTP status client error (404 File not found) for url (http://h/noarch/x-1-0.conda)",
            SourceAway,
            "http://h/noarch/x-1-0.conda is not there any more; run `penstock env lock`",
        ),
        (
            "could not find subdir 'noarch' in channel 'file:///x/'\nCaused by: No such file",
            BadSpec,
            "penstock.toml:3: there is no channel at file:///x/",
        ),
        (
            f"{FETCHING}error sending request for url (http://h:9/x)\nCaused by: Refused (os error 111)",
            SourceAway,
            "http://h:9/x cannot be reached: Refused (os error 111)",
        ),
        ("it rains", BuildFailed, "conda's side could not do it:\n  it rains"),
    ],
)
def test_rattlers_words_become_an_error_that_says_what_to_do(
    words: str, kind: type[PenstockError], sentence: str
) -> None:
    found = condafault.fault(Failed("said", words), "penstock.toml:3")
    assert type(found) is kind
    assert str(found).startswith(sentence)


def test_without_rattler_the_cure_is_told() -> None:
    found = condafault.fault(Failed("missing", ""), "")
    assert type(found) is EnvironmentFault
    assert "pip install 'penstock[conda]'" in str(found)


@given(st.text(max_size=20), st.text(max_size=20))
def test_no_password_of_an_address_is_told(before: str, after: str) -> None:
    words = f"{before} https://me:h3mm3r@host/x {after}"
    assert "h3mm3r" not in str(condafault.fault(Failed("said", words), "x"))
