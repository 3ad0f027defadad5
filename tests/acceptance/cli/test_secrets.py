"""A secret that a run or a hub knows is in no argument of a process, log, answer, or file that it leaves."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from secrets import token_hex

import pytest

from penstock.rabbitmq.url import parse
from tests.acceptance.cli.terminal import LIMIT, Terminal, finish
from tests.rabbit import Shared

OF_VARIABLE, OF_FILE, OF_STAGE, OF_BROKER = (
    "von-der-variable",
    "aus-der-datei",
    "nur-fuer-die-stufe",
    "des-rabbits",
)
APP = """
from pathlib import Path
import os, time
from penstock import Context, Pipeline, sink, source, stage

@source
def numbers(ctx: Context):
    number = 0
    while not ctx.stopping:
        yield number
        number += 1
        time.sleep(0.01)

@stage(max_failures=1)
class Use:
    def setup(self, ctx: Context) -> None:
        known = [ctx.config["password"], ctx.config["deep"]["token"], os.environ["OF_STAGE"]]
        ctx.log.info("it knows %d secrets of %s letters", len(known), sum(map(len, known)))
    def __call__(self, number: int, ctx: Context) -> int:
        password = ctx.config["password"]
        if number == 3:
            raise ValueError("no: " + str(len(password)))
        return number

@sink
def save(number: int) -> None:
    if number == 10:
        Path("ten").touch()

pipeline = Pipeline("secretive", numbers >> Use >> save)
"""
FILE = """
app = "app.py"

[config]
password = { env = "OF_VARIABLE" }
deep = { token = { file = "token.txt" } }

[stages.Use]
variables = { OF_STAGE = { env = "OF_STAGE_HERE" } }
"""


@pytest.fixture
def secretive(terminal: Terminal) -> Terminal:
    terminal.write("app.py", APP)
    terminal.write("penstock.toml", FILE)
    (terminal.directory / "token.txt").write_text(OF_FILE)
    terminal.environment.update(
        OF_VARIABLE=OF_VARIABLE,
        OF_STAGE_HERE=OF_STAGE,
        PENSTOCK_BROKER=f"amqp://me:{OF_BROKER}@127.0.0.1:1/none",
        PENSTOCK_KEYS=str(terminal.directory / "keys"),
    )
    return terminal


def arguments(pid: int) -> dict[int, bytes]:
    """Of a process, and of all that it has started."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if pid in {parent, int(path.name)}:
                found[int(path.name)] = (path / "cmdline").read_bytes()
        except (OSError, ValueError):
            continue  # it has ended
    return found


def left(*folders: Path) -> dict[str, bytes]:
    """Every file there, by its name; but for memory of arrays, of which there is much."""
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    files = [path for path in files if path.suffix != ".arena"]
    return {str(path): path.read_bytes() for path in files}


def until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_secret_is_in_no_argument_log_file_or_answer(secretive: Terminal) -> None:
    said = [secretive.type("keys", "new").stdout]
    key = (secretive.directory / "keys" / "own.key").read_text().split("secret = ")[1].strip()
    secrets = [each.encode() for each in (OF_VARIABLE, OF_FILE, OF_STAGE, OF_BROKER, key)]
    run = secretive.start("run")
    until((secretive.directory / "ten").exists)
    started = arguments(run.pid)
    assert len(started) == 4, "a supervisor and three workers"
    running = left(Path(os.environ["PENSTOCK_RUN_DIR"]))
    (handed,) = [name for name in running if name.endswith("/broker.password")]
    assert Path(handed).stat().st_mode & 0o777 == 0o600, "workers read it there, and nobody else"
    del running[handed]
    verbs = ("ps --json", "config show --json", "drain")
    said += [secretive.type(*verb.split()).stdout for verb in verbs]
    said.append(finish(run))
    files = left(secretive.directory / ".penstock")
    assert any("Use" in name for name in files), "or nothing has been looked at"
    for where, text in (
        *started.items(),
        *running.items(),
        *files.items(),
        *enumerate(map(str.encode, said)),
    ):
        for secret in secrets:
            assert secret not in text, where


def test_a_hub_says_its_password_nowhere_while_it_works_and_when_it_is_shut_out(
    terminal: Terminal, rabbit: Shared, broker: str
) -> None:
    vhost, user = parse(broker).vhost, f"user-{token_hex(4)}"
    rabbit.ask("PUT", f"users/{user}", {"password": OF_BROKER, "tags": "administrator"})
    rabbit.ask("PUT", f"permissions/{vhost}/{user}", {"configure": ".*", "write": ".*", "read": ".*"})
    terminal.environment.update(PENSTOCK_BROKER=rabbit.url(vhost, user, OF_BROKER))
    said = [terminal.type("broker", "init", "--group", "gpu").stdout]
    hub = terminal.start("hub")
    assert hub.stderr is not None
    while "ready" not in said[-1]:
        said.append(hub.stderr.readline())
        assert said[-1], "it has ended"
    said.append(terminal.type("queues").stdout)
    started = arguments(hub.pid)
    rabbit.ask("DELETE", f"users/{user}")  # and with it its connections
    refused = terminal.type("queues", code=5)
    said += [refused.stdout, refused.stderr, hub.stderr.readline()]
    hub.terminate()
    said.append(finish(hub))
    files = left(terminal.directory / ".penstock")
    assert "password" in refused.stderr and any("jobs.db" in name for name in files)
    for where, text in (*started.items(), *files.items(), *enumerate(map(str.encode, said))):
        assert OF_BROKER.encode() not in text, where
