from __future__ import annotations

import pytest

from penstock.environments import secret
from penstock.environments.lock import CondaRecord, Locked, Pins
from penstock.errors import BadSpec


def locked(channel: str = "conda-forge", fn: str = "x-1-0.conda", pip: str = "") -> Locked:
    record = CondaRecord(name="x", version="1", build="0", subdir="noarch", channel=channel, fn=fn)
    return Locked(
        kind="lockfile", digest="d", channels=[channel], pip=pip, platforms={"any": Pins(conda=[record])}
    )


@pytest.mark.parametrize(
    "found",
    [
        locked("https://host/t/S3CRET/chan"),
        locked("https://host/api/repo/t/S3CRET/chan"),
        locked(pip="--index-url https://host/api/pypi/t/tb-0a1b-22c-S3CRET/simple\nx==1\n"),
        locked("https://me:S3CRET@host/chan"),
        locked("https://S3CRET@host/chan"),
        locked("https://host/chan", fn="x-1-0.conda?key=S3CRET"),
        locked(pip="x @ https://me:S3CRET@host/x.whl\n"),
        locked(pip="x==1 --hash=sha256:ab\ny @ git+ssh://me:S3CRET@host/y.git\n"),
        locked(pip="--index-url https://host/t/S3CRET/simple\nx==1\n"),
    ],
)
def test_a_secret_is_not_locked_and_not_told(found: Locked) -> None:
    with pytest.raises(BadSpec, match=r"explicit\.txt: a .* is in the address .*~/\.netrc") as refused:
        secret.refuse_locked(found, "explicit.txt")
    assert "S3CRET" not in str(refused.value)


@pytest.mark.parametrize(
    "found",
    [
        locked("https://host/t/${TOKEN}/chan"),
        locked("https://host/api/t/${TOKEN}/chan"),
        locked(pip="t @ https://files/mirror/t/tensorflow-text2/t-1.tar.gz#sha256=ab\n"),
        locked("./chan"),
        locked("file:///srv/t/mine/chan"),
        locked(pip="x @ git+ssh://git@host/x.git@v1\n"),
        locked(pip="t @ https://files/packages/source/t/tomli/tomli-1.tar.gz#sha256=ab\n"),
    ],
)
def test_what_is_no_secret_is_locked(found: Locked) -> None:
    secret.refuse_locked(found, "explicit.txt")
