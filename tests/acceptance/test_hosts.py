"""A pipeline on three hosts that come, lose their network, die and leave."""

from __future__ import annotations

import itertools
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.cli.main import answer
from tests.conftest import WorkerPython
from tests.hosts import APP, AT_HAND, Lab, until

NUMBERS = itertools.count()
"""Each app is a module of its own: all of them are imported into this process."""
SPACES = pytest.mark.skipif(not AT_HAND, reason="network namespaces need root and iproute2")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path)
    try:
        yield made
    finally:
        made.close()


@SPACES
def test_three_hosts_work_and_nothing_is_lost_by_a_cut_a_death_and_a_leaving(lab: Lab) -> None:
    lab.begin("--host-timeout", "6s")
    lab.join("h2")
    lab.join("h3")
    for host in ("h1", "h2", "h3"):
        lab.works(host)
    seen = {
        one["worker"]: one["host"]
        for stage in lab.ask("ps")["pipelines"][0]["stages"]
        for one in stage["replicas"]
    }
    assert sorted(seen.values()) == ["", "", "", "h2", "h3"]
    with lab.weather("h2", loss=0.2) as lossy, lab.weather("h3", delay=0.2) as late:
        lab.works("h3")
        lab.works("h2", 50)
    assert lossy["lost"] and late["packets"]
    lab.cut("h2")
    lab.works("h1", 200)
    lab.heal("h2")
    lab.works("h2")
    assert "lost" not in lab.said("h1")
    lab.processes["h2"].kill()
    lab.processes["h2"].wait()
    lab.join("h2")
    until(lambda: "host h2 is lost: its agent began anew" in lab.said("h1"), "it is not waited for")
    lab.works("h2")
    assert sorted(each["host"] for each in lab.ask("ps")["pipelines"][0]["hosts"]) == ["h2", "h3"]
    lab.kill("h3")
    until(lambda: "host h3 is lost" in lab.said("h1"), "h3 is missed")
    lab.works("h2")
    lab.processes["h2"].send_signal(signal.SIGINT)
    assert lab.processes["h2"].wait(60) == 0, lab.said("h2")
    lab.works("h1")
    totals = lab.finish()
    assert "host h2 has left" in lab.said("h1")
    assert "senders lost" in lab.said("h1")
    print(totals)


@SPACES
def test_hosts_of_two_networks_work_through_a_relay_that_both_can_see(lab: Lab) -> None:
    lab.move("h2", "10.78.0.12")
    lab.also("h3", "10.78.0.13")
    ways = {
        "tcp://10.78.0.13:7788": "tcp://10.77.0.11:7788",
        "tcp://10.78.0.13:7800-7805": "tcp://10.77.0.11:7800-7805",
        "tcp://10.77.0.13:7810-7812": "tcp://10.78.0.12:7810-7812",
    }
    said = {"PENSTOCK_RELAY_FROM": " ".join(ways), "PENSTOCK_RELAY_TO": " ".join(ways.values())}
    lab.begin("--ports", "7800-7805")
    relay = lab.start("h3", "relay", **said)
    lab.join("h2", "--ports", "7810-7812", "--found-at", "10.77.0.13", at="tcp://10.78.0.13:7788")
    lab.works("h2")
    relay.send_signal(signal.SIGINT)
    assert relay.wait(30) == 0
    lab.start("h3", "relay", **said)
    lab.works("h2", 200)
    assert "lost" not in lab.said("h1")
    assert not lab.finish()["twice"]


ARRAYS = """\
import numpy as np

from penstock import Pipeline, sink, source, stage


@source(compress="WAY")
def pages():
    for n in range(60):
        yield np.full(100_000, n)


@stage(hosts="far", compress="WAY")
def check(page: np.ndarray) -> np.ndarray:
    assert (page == page[0]).all() and len(page) == 100_000
    return page


@sink
def keep(page: np.ndarray):
    assert (page == page[0]).all() and len(page) == 100_000


pipeline = Pipeline("lab", pages >> check >> keep)
"""
"""48 MB to the other host, and as much back."""


@SPACES
@pytest.mark.parametrize("way", ["lz4", pytest.param("zstd", marks=pytest.mark.long)])
def test_arrays_are_compressed_on_their_way_to_another_host_and_back(lab: Lab, way: str) -> None:
    (lab.home("h1") / "app.py").write_text(ARRAYS.replace("WAY", way))
    lab.begin()
    lab.start("h2", "join", "tcp://10.77.0.11:7788", "--key-file", str(lab.key), "--label", "far")
    assert lab.processes["h1"].wait(60) == 0, lab.said("h1")
    totals = json.loads((lab.home("h1") / ".penstock/lab/run.json").read_text())["totals"]
    assert (totals["through"], totals["dead"]) == (60, 0), lab.said("h1")
    assert sum(lab.carried("h2")) < 10_000_000


@SPACES
def test_an_environment_without_the_library_is_named_and_things_go_as_they_are(
    lab: Lab, worker_python: WorkerPython
) -> None:
    python = worker_python("3.9")
    (lab.home("h1") / "app.py").write_text(ARRAYS.replace("WAY", "lz4").replace("60", "3"))
    lab.begin("--set", f"check.interpreter={python}")
    lab.start("h2", "join", "tcp://10.77.0.11:7788", "--key-file", str(lab.key), "--label", "far")
    assert lab.processes["h1"].wait(60) == 0, lab.said("h1")
    said = lab.said("h1")
    for which in ("what comes to check from other hosts", "what goes to keep on other hosts"):
        assert f"{which}: compress='lz4': lz4 is not installed for {python}; install lz4" in said


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("run app.py --listen tcp://*:7788", "--listen tcp://*:7788 would listen on all interfaces"),
        ("run app.py --listen ipc:///tmp/here", "hosts join by tcp"),
        ("run app.py --listen 10.0.0.5:7788", "is no endpoint"),
        ("run app.py --listen tcp://127.0.0.1:7788 --reload", "--reload does not reach hosts"),
        ("run app.py --ports 7800-7809", "--ports are for hosts that join: say --listen as well"),
        ("run app.py --listen tcp://127.0.0.1:7788 --ports 7800", "'7800': write FIRST-LAST, like 7810-7819"),
        ("join tcp://127.0.0.1:7788 --key-file no --ports 9-8", "'9-8': write FIRST-LAST"),
        ("join tcp://127.0.0.1:7788", "say --key-file FILE"),
        ("join tcp://127.0.0.1:* --key-file no", "is not where a run listens"),
        ("join tcp://127.0.0.1:7788 --key-file no", "the key file no cannot be read"),
        ("join tcp://127.0.0.1:7788 --key-file no --address 0.0.0.0", "is not one address of this machine"),
        ("join tcp://127.0.0.1:7788 --key-file no --address 9.9.9.9", "is not one address of this machine"),
        ("join tcp://127.0.0.1:7788 --key-file no --server lab", "leave out --server"),
        ("join tcp://127.0.0.1:7788 --key-file no --found-at relay", "say --ports as well"),
        ("join tcp://127.0.0.1:7788 --stage keep=900", "900 workers are to be here, on "),
    ],
)
def test_what_cannot_be_is_one_sentence(
    words: str,
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    name = f"refused_{next(NUMBERS)}.py"
    (tmp_path / name).write_text(APP)
    assert answer(words.replace("app.py", name).split()) in {2, 4}
    assert sentence in capfd.readouterr().err
