"""A run that is asked from another machine: owners command it, observers look, nobody else does either."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from penstock.errors import PenstockError
from penstock.runtime import trunk
from penstock.security import Keyring
from penstock.security.curve import new_pair
from tests.acceptance.cli.terminal import PENSTOCK, Terminal
from tests.hosts import until

FIVE = """\
if number == 5 and not Path("mended").exists():
            raise ValueError("it is five")
        if number == 0:"""
Ask = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def ask(terminal: Terminal) -> Iterator[Ask]:
    """A run that listens; ``ask("observer", "ps")`` asks it with a key that is trusted as such."""
    app = (terminal.directory / "app.py").read_text().replace("@sink", "@sink(max_failures=0)")
    (terminal.directory / "app.py").write_text(app.replace("if number == 0:", FIVE))
    keys = terminal.directory / "keys"
    lab = Keyring(keys / "lab")
    lab.keep(new_pair())
    for role in ("owner", "observer", "worker", "stranger"):
        own = Keyring(keys / role)
        own.keep(new_pair())
        own.trust(lab.own.public, "server", "lab")
        if role != "stranger":
            lab.trust(own.own.public, role, f"the-{role}")
    here = dict(terminal.environment)
    terminal.environment["PENSTOCK_KEYS"] = str(keys / "lab")
    with (terminal.directory / "said").open("wb") as said:
        begun = subprocess.Popen(
            [*PENSTOCK, "run", "app.py", "--listen", "tcp://127.0.0.1:*"],
            cwd=terminal.directory,
            env=terminal.environment,
            stderr=said,
            text=True,
        )
    terminal.background.append(begun)
    terminal.type("wait", "--for", "ready")
    terminal.environment = {
        **here,
        "PENSTOCK_AT": _endpoint(terminal.directory / "said"),
        "PENSTOCK_RUN_DIR": str(terminal.directory / "another-machine"),
    }

    def asked(role: str, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        terminal.environment["PENSTOCK_KEYS"] = str(keys / role)
        return terminal.type(*words, code=code)

    yield asked
    if begun.poll() is None:
        asked("owner", "stop", "--now")
    assert not list(terminal.directory.glob(".penstock/gated/join.key"))


def _endpoint(said: Path) -> str:
    line = until(
        lambda: next((each for each in said.read_text().splitlines() if "--key-file" in each), ""), ""
    )
    return str(line).split("penstock join ")[1].split()[0]


def test_an_owner_commands_a_run_from_another_machine(ask: Ask, terminal: Terminal) -> None:
    assert ask("owner", "scale", "gate=2", "--wait").stdout == "gate   1 → 2\n"
    assert "gate/1" in ask("owner", "ps", "-q", "-p", "gated").stdout.split()
    assert "gated is paused" in ask("owner", "pause").stdout
    assert "gated goes on" in ask("owner", "resume").stdout
    assert "Save/0   restarted" in ask("owner", "restart", "Save").stdout
    told = [json.loads(line) for line in ask("owner", "events", "--json").stdout.splitlines()]
    assert [each["n"] for each in told] == list(range(len(told)))
    assert "topics" in json.loads(ask("owner", "topic", "list", "--json").stdout)
    follower = subprocess.Popen(
        [*PENSTOCK, "events", "-f", "--json"],
        cwd=terminal.directory,
        env=terminal.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    terminal.background.append(follower)
    assert follower.stdout is not None
    assert json.loads(follower.stdout.readline())["n"] == 0
    terminal.write("open", "")
    _look_at_files(ask, terminal)
    assert "gated   ended" in ask("owner", "drain").stdout
    followed = [json.loads(line)["event"] for line in follower.communicate(timeout=60)[0].splitlines()]
    assert followed[-1] == "run_ended"
    assert "no run listens at tcp://127.0.0.1" in ask("owner", "ps", code=3).stderr


def _look_at_files(ask: Ask, terminal: Terminal) -> None:
    """Its logs, dead letters and samples, which lie on the machine of the run."""
    until(lambda: ask("observer", "dead", "list", "-q").stdout, "five is dead")
    (dead,) = json.loads(ask("observer", "dead", "list", "--json").stdout)["letters"]
    assert (dead["id"], dead["stage"], dead["cause"]) == ("numbers/0:5", "Save", "ValueError: it is five")
    assert "letter is refused" in ask("observer", "dead", "show", code=4).stderr
    assert "value   5" in ask("owner", "dead", "show").stdout
    ask("owner", "dead", "export", "letters")
    assert json.loads((terminal.directory / "letters/letters.jsonl").read_text())["value"] == 5
    assert "there is no log" not in ask("observer", "logs", "Save", "--no-prefix").stdout
    lines = ask("observer", "logs", "Save", "-n", "9999").stdout.splitlines()
    assert all(line.startswith("Save/0 | ") for line in lines) and "zero is saved" in lines[1:][-1] + str(
        lines
    )
    assert "nobody has no log in gated there; there is" in ask("observer", "logs", "nobody", code=3).stderr
    sample = json.loads(ask("owner", "tap", "gate", "-n", "1", "--json").stdout)
    assert (sample["link"], sample["type"]) == ("gate→Save", "int")
    assert "sample is refused" in ask("observer", "tap", "gate", code=4).stderr
    terminal.write("mended", "")
    assert "put_back is refused" in ask("observer", "dead", "requeue", "--yes", code=4).stderr
    assert "Save gets them again now" in ask("owner", "dead", "requeue", "--yes").stderr
    until(lambda: not ask("owner", "dead", "list", "-q").stdout, "it is done")
    assert "there is no dead letter" not in ask("owner", "dead", "discard", "--yes", code=3).stderr
    assert ask("observer", "deploy").stdout == "gated has no service\n"
    for words in (["deploy", "a=b"], ["record", "-o", "rec"], ["record", "--stop"], ["debug", "gate"]):
        assert "on the machine of the run" in ask("owner", *words, code=4).stderr


def test_others_do_what_their_key_is_trusted_for_and_hear_why_not_the_rest(
    ask: Ask, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert json.loads(ask("observer", "ps", "--json").stdout)["pipelines"][0]["pipeline"] == "gated"
    refused = ask("observer", "scale", "gate=2", code=4).stderr
    assert "scale is refused: a key that is trusted as observer may look at a run" in refused
    key_file = str(terminal.directory / ".penstock" / "gated" / "join.key")
    for words in (["ps"], ["ps", "--key-file", key_file]):
        assert "ps is refused: a key that is trusted as worker may" in ask("worker", *words, code=4).stderr
    assert (
        "other is not running there; what runs is gated"
        in ask("observer", "ps", "-p", "other", code=3).stderr
    )
    lab = Keyring(terminal.directory / "keys" / "lab")
    lab.revoke("the-observer")
    stranger = Keyring(terminal.directory / "keys" / "stranger")
    stranger.trust(new_pair().public, "server", "other")
    monkeypatch.setattr(trunk, "PATIENCE", 1.5)
    endpoint = terminal.environment["PENSTOCK_AT"]
    refusals = (
        ("stranger", "lab", "does not let us in; who runs it may: penstock keys trust"),
        ("observer", "lab", "does not let us in"),
        ("stranger", "other", "it has another key than we expect"),
    )
    for keyring, server, sentence in refusals:
        own = Keyring(terminal.directory / "keys" / keyring)
        line = trunk.Trunk(endpoint, own.towards(server))
        with pytest.raises(PenstockError, match=sentence):
            line.ask(b'{"verb": "ps"}')
        line.close()
    assert "say --server NAME" in ask("stranger", "ps", code=4).stderr
    for verb in ("surroundings", "events", "record"):
        line = trunk.Trunk(endpoint, Keyring(terminal.directory / "keys" / "owner").towards("lab"))
        told = json.loads(line.ask(json.dumps({"verb": verb}).encode()))
        assert told["error"] == f"{verb} is asked on the machine of the run, where its files are"
        line.close()
