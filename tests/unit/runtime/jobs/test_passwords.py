"""What workers are told of the broker has no password in it, and leads to one."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.rabbitmq.url import parse
from penstock.runtime.jobs.passwords import hidden

SECRET = "hush-hush"


@pytest.mark.parametrize(
    "environ",
    [
        {"PENSTOCK_BROKER": f"amqp://ada:{SECRET}@h/jobs", "ADDRESS": f"amqp://ada:{SECRET}@h/jobs"},
        {"PENSTOCK_BROKER": "amqp://ada@h/jobs?password_env=PW", "PW": SECRET},
    ],
)
def test_no_variable_holds_it_and_a_file_that_is_ours_alone_does(
    environ: dict[str, str], tmp_path: Path
) -> None:
    for _ in range(2):
        found = hidden({**environ, "HOME": "/root"}, str(tmp_path))
        assert SECRET not in str(found)
        assert set(found) == {"PENSTOCK_BROKER", "HOME"}
        url = parse(found["PENSTOCK_BROKER"])
        assert (url.user, url.vhost, url.reveal({})) == ("ada", "jobs", SECRET)
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("address", ["", "amqp://localhost", "amqp://ada@h?password_file=/run/secret"])
def test_where_there_is_none_nothing_changes(address: str, tmp_path: Path) -> None:
    environ = {"PENSTOCK_BROKER": address, "HOME": "/root"}
    assert hidden(environ, str(tmp_path)) == environ
    assert list(tmp_path.iterdir()) == []
