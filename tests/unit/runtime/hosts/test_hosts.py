"""Who has joined is not trusted with more: it reads what it was offered, and its numbers harm nobody."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock import __version__
from penstock.errors import PeerError
from penstock.observe import page, tally
from penstock.pipeline.plan import Plan
from penstock.runtime import hostwire
from penstock.runtime.hosts.conduit import Conduit
from penstock.runtime.hosts.hosts import Hosts
from penstock.runtime.hosts.lodging import listening, reached
from penstock.runtime.hosts.port import Port
from penstock.runtime.hosts.remote import FarPage, FarTally
from penstock.runtime.hosts.stay import MOST_SAID, Stay, plain
from penstock.runtime.hosts.switchboard import Switchboard
from penstock.runtime.policy.rights import Role
from penstock.security.curve import new_pair
from penstock.security.joinkey import ROLE, JoinKey, RunKeyring
from penstock.security.keys import Keyring

PATIENCE = 60.0
JOIN = hostwire.Join(hostwire.VERSION, __version__, "guest", 1, address="127.0.0.1", reach="127.0.0.1")


class Joined:
    """One that speaks as an agent does, and says what it likes."""

    def __init__(self, endpoint: str, key: JoinKey) -> None:
        self._conduit = Conduit(secrets.token_hex(hostwire.TOKEN // 2))
        self._read = hostwire.Reader(hostwire.ToAgent).read
        self._heard: asyncio.Queue[Any] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        self._port = Port(
            "DEALER", endpoint, curve=key.towards(), timeout=PATIENCE, take=self._take, loop=loop
        )

    def _take(self, _user: str, frames: list[Any]) -> None:
        taken = self._conduit.take(hostwire.opened(frames[0]))
        for answer in taken.answers:
            self._port.send([hostwire.sealed(answer)])
        if taken.body:
            self._heard.put_nowait(self._read(taken.body))

    def say(self, message: msgspec.Struct) -> None:
        """Numbered, and so heard once."""
        self._port.send([hostwire.sealed(self._conduit.put(hostwire.packed(message)))])

    async def hear(self, kind: type) -> Any:
        """The next word, which must be of that kind."""
        async with asyncio.timeout(PATIENCE):
            while self._heard.empty():
                self._port.send([hostwire.sealed(self._conduit.beat())])
                await asyncio.sleep(0.02)
        found = self._heard.get_nowait()
        assert type(found) is kind, found
        return found

    def close(self) -> None:
        """Gone without a word."""
        self._port.close()


async def nobody(role: Role, line: bytes) -> dict[str, Any]:
    raise AssertionError((role, line))


@asynccontextmanager
async def a_run(
    app: Path, stands: Callable[[str], bool] = lambda _: True
) -> AsyncIterator[tuple[Hosts, Joined]]:
    invited = new_pair()
    keyring = RunKeyring(Keyring(app / "no keys"), new_pair(), invited)
    roster = SimpleNamespace(stages={}, hosts={})
    run = SimpleNamespace(name="r", path="r")
    plan = Plan(pipeline="p", stages=[], links=[])
    supervisor = SimpleNamespace(plan=plan, roster=roster, run_dir=run, report=lambda _: None)
    hosts = Hosts(
        cast("Any", supervisor),
        listen="tcp://127.0.0.1:*",
        curve=keyring.admitting(ROLE),
        pair=new_pair(),
        app=str(app / "app.py"),
        timeout=PATIENCE,
        switchboard=Switchboard(nobody, stands=stands, timeout=PATIENCE),
    )
    joined = Joined(hosts.start(), JoinKey(invited, keyring.own.public))
    try:
        yield hosts, joined
    finally:
        joined.close()
        hosts._stays.clear()
        await hosts.close()


async def until(look: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not look():  # noqa: ASYNC110  a count of another part, which tells nobody
            await asyncio.sleep(0.01)


def test_who_joins_reads_the_code_that_it_is_offered_and_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("x = 1\n")
    (tmp_path / ".env").write_text("secret\n")
    (tmp_path / "data.csv").write_text("private\n")

    async def play() -> None:
        async with a_run(tmp_path) as (hosts, joined):
            joined.say(JOIN)
            welcome = await joined.hear(hostwire.Welcome)
            assert list(welcome.manifest.files) == ["0/app.py"]
            barred = [
                "0/.env",
                "0/data.csv",
                "0//etc/passwd",
                "0/../x",
                "0/app.py\0",
                "9/app.py",
                "",
                "app.py",
            ]
            wants = [(path, 0) for path in barred] + [("0/app.py", at) for at in (-1, 7, 2**64 - 1)]
            for path, at in wants:
                joined.say(hostwire.Want(path, at))
            joined.say(hostwire.Want("0/app.py", 4))
            part = await joined.hear(hostwire.Part)
            assert (part.path, part.at, part.data) == ("0/app.py", 4, b"1\n")
            await until(lambda: hosts.refused == len(wants))

    asyncio.run(play())


def test_a_host_whose_key_is_revoked_is_sent_away_and_not_taken_again(tmp_path: Path) -> None:
    (tmp_path / "app.py").touch()
    trusted = {"worker:join.key"}

    async def play() -> None:
        async with a_run(tmp_path, trusted.__contains__) as (hosts, joined):
            joined.say(JOIN)
            await joined.hear(hostwire.Welcome)
            hosts._beat()
            assert hosts.view()
            trusted.clear()
            hosts._beat()
            over = await joined.hear(hostwire.Over)
            assert over == hostwire.Over("its key is trusted no longer", unfit=True)
            assert not hosts.view()

    asyncio.run(play())


WORD = st.integers(-(2**63), 2**64 - 1)
NEAR = st.integers(-5, page.WORDS + 5)


@given(
    said=st.lists(st.tuples(WORD, st.dictionaries(NEAR, WORD | st.just(2**64 - 1), max_size=40)), max_size=5)
)
def test_a_page_takes_whatever_numbers_another_host_says(said: list[tuple[int, dict[int, int]]]) -> None:
    copy = FarPage()
    for at, words in said:
        copy.update(words, at, 10**12)
    assert all(0 <= word < 2**64 for word in copy.words)


ROW = st.tuples(st.sampled_from(["", "log/0"]), st.text(max_size=2), st.lists(st.integers(), max_size=9))


@given(said=st.lists(st.tuples(WORD, st.lists(ROW, max_size=5)), max_size=5))
def test_a_tally_takes_or_refuses_whatever_rows_another_host_says(
    said: list[tuple[int, list[tuple[str, str, list[int]]]]],
) -> None:
    copy = FarTally()
    for at, rows in said:
        with suppress(PeerError):
            copy.update(hostwire.Tallied(1, at, rows), 10**12)
    assert all(len(row.words) == tally.WORDS and min(row.words) >= 0 for row in copy.rows())


def test_what_another_host_published_is_told_in_our_time_and_not_without_end() -> None:
    copy = FarTally()
    copy.update(hostwire.Tallied(1, 1000, [("", "loss", [1, 8, 900, 0, 0, 0, 0, 0])]), 5000)
    copy.update(hostwire.Tallied(1, 2000, [("", "loss", [2, 16, 1900, 0, 0, 0, 0, 0])]), 9000)
    assert copy.rows() == [tally.Row("", "loss", [2, 16, 5900, 0, 0, 0, 0, 0])]
    with pytest.raises(PeerError):
        copy.update(hostwire.Tallied(1, 1, [("", str(n), [0] * 8) for n in range(tally.ROWS + 1)]), 1)


def test_what_another_host_says_does_not_command_the_terminal() -> None:
    assert plain("no such file:\n\x1b[2J\r\0ä") == "no such file:\n?[2J??ä"
    assert len(plain("x" * 10**6)) == MOST_SAID


def test_addresses_of_ipv6_are_written_so_that_they_are_read() -> None:
    stay = Stay(msgspec.structs.replace(JOIN, address="fd00::2", reach="fd00::1"), "h2", "", lambda *_: True)
    assert listening("tcp://[::1]:7788", None) == "tcp://[::1]:*"
    assert listening("tcp://[::1]:7788", stay) == "tcp://[fd00::2]:*"
    assert reached("tcp://[::]:5", None, stay) == "tcp://[fd00::1]:5"


def test_a_worker_is_found_where_its_host_says_and_one_of_the_first_where_the_run_was() -> None:
    near, far = (
        Stay(msgspec.structs.replace(JOIN, found=found, reach=reach), "h", "", lambda *_: True)
        for found, reach in (("", "10.0.0.5"), ("gate", "relay"))
    )
    assert reached("tcp://10.0.0.5:7", None, far) == "tcp://relay:7"
    assert reached("tcp://10.1.0.6:7", far, None) == reached("tcp://10.1.0.6:7", far, near) == "tcp://gate:7"
    assert reached("tcp://10.0.0.6:7", near, far) == "tcp://10.0.0.6:7"
    assert reached("", None, far) == ""
