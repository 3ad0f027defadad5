from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from penstock.environments.channels import Channel, channel

ENVIRON = {"HOME": "/users/me", "TOKEN": "SECRET", "WHOLE": "https://x/t/SECRET/chan"}


@pytest.mark.parametrize(
    ("written", "name", "url", "wire"),
    [
        ("conda-forge", "conda-forge", "conda-forge", "conda-forge"),
        ("pytorch/label/nightly", "pytorch/label/nightly", "pytorch/label/nightly", "pytorch/label/nightly"),
        ("https://x/chan/", "https://x/chan", "https://x/chan", "https://x/chan"),
        ("./chan", "./chan", "file:///app/chan", "file:///app/chan"),
        ("../chan", "../chan", "file:///chan", "file:///chan"),
        ("/srv/chan", "/srv/chan", "file:///srv/chan", "file:///srv/chan"),
        ("~/chan", "~/chan", "file:///users/me/chan", "file:///users/me/chan"),
        ("https://x/t/abc/chan", "https://x/chan", "https://x/chan", "https://x/t/abc/chan"),
        ("https://x/t/$TOKEN/chan", "https://x/t/$TOKEN/chan", "https://x/chan", "https://x/t/SECRET/chan"),
        ("https://x/api/t/abc/chan", "https://x/api/chan", "https://x/api/chan", "https://x/api/t/abc/chan"),
        (
            "https://x/api/t/$TOKEN/chan",
            "https://x/api/t/$TOKEN/chan",
            "https://x/api/chan",
            "https://x/api/t/SECRET/chan",
        ),
        ("${WHOLE}", "${WHOLE}", "https://x/chan", "https://x/t/SECRET/chan"),
        (
            "https://x/$TOKEN-t/t/chan",
            "https://x/$TOKEN-t/t/chan",
            "https://x/SECRET-t/t/chan",
            "https://x/SECRET-t/t/chan",
        ),
    ],
)
def test_a_channel_is_what_is_written_what_it_is_and_what_is_asked_for(
    written: str, name: str, url: str, wire: str
) -> None:
    assert channel(written, "/app", ENVIRON) == Channel(name, url, wire)


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("defaults", "Anaconda's"),
        ("", "is empty"),
        ("<unknown>", "is empty"),
        ("${NOPE}/x", "needs the variable NOPE, which is not set"),
        ("https://me:word@x/chan", r"~/\.netrc"),
        ("https://me@x/chan", r"~/\.netrc"),
        ("https://x/chan?token=word", r"a query .*~/\.netrc"),
        ("https://x/t/word/$NOPE", "needs the variable NOPE"),
    ],
)
def test_what_cannot_be_one_is_refused(written: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as caught:
        channel(written, "/app", ENVIRON)
    assert "word" not in str(caught.value).replace("password", "")


@example("https://x/repo/t/S3CR0//")
@given(
    st.from_regex(r"https://[a-z.]{1,9}(/[a-s]{1,4}){0,2}/t/S3CR[a-z0-9-]{1,9}/[a-z/]{1,9}", fullmatch=True)
)
def test_a_token_is_on_the_wire_alone(written: str) -> None:
    found = channel(written, "/app", {})
    assert "S3CR" in found.wire
    assert "S3CR" not in found.name + found.url


@given(
    st.sampled_from(["conda-forge", "https://x/t/abc/chan", "https://x/t/$TOKEN/chan", "./chan", "~/c", "/d"])
)
def test_the_name_in_a_lock_finds_the_same_packages(written: str) -> None:
    first = channel(written, "/app", ENVIRON)
    again = channel(first.name, "/app", ENVIRON)
    assert (again.name, again.url) == (first.name, first.url)
