"""Hosts with no network for long, with a bad or slow one, at another place, or without the first of them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import tunnel
from tests.faults.rig import belonging
from tests.hosts import APP, AT_HAND, RUN, Lab, until
from tests.tunnel import Tunnel

pytestmark = [
    pytest.mark.fault,
    pytest.mark.skipif(not AT_HAND, reason="network namespaces need root and iproute2"),
]


@pytest.fixture
def lab(tmp_path: Path, long_form: bool) -> Iterator[Lab]:
    if not long_form:
        pytest.skip("long: make faults; its short form is in tests/acceptance/test_hosts.py")
    made = Lab(tmp_path)
    try:
        yield made
    finally:
        made.close()


def test_a_host_that_was_away_for_too_long_is_fenced_and_joins_anew(lab: Lab) -> None:
    lab.begin("--host-timeout", "4s")
    lab.join("h2")
    lab.works("h2")
    lab.cut("h2")
    began = time.monotonic()
    until(lambda: "host h2 is lost" in lab.said("h1"), "it is missed")
    missed = time.monotonic() - began
    until(lambda: "the workers here are ended" in lab.said("h2"), "it ends its workers by itself")
    until(lambda: time.monotonic() - began > 20.0, "the cable is put back after 20 s")
    lab.heal("h2")
    healed = time.monotonic()
    lab.works("h2", 1)
    print(f"\nmissed after {missed:.1f} s; at work again {time.monotonic() - healed:.1f} s after 20 s of cut")
    print(lab.finish())


CAMERA = """\
import itertools
import os
import time

from penstock import Pipeline, at, sink, source


@source(hosts="cam")
def numbers(start: int = 0):
    for n in itertools.count(start):
        yield at(n + 1, (n, os.environ["LAB_HOST"]))
        time.sleep(0.001)


@sink
class Keep:
    def setup(self):
        self.file = open("kept", "a", buffering=1)

    def __call__(self, row: tuple[int, str]):
        self.file.write(f"{row[0]} {row[1]}\\n")


pipeline = Pipeline("lab", numbers >> Keep)
"""


def test_a_source_on_a_lost_host_goes_on_elsewhere_where_it_was(lab: Lab) -> None:
    (lab.home("h1") / "app.py").write_text(CAMERA)
    lab.begin("--host-timeout", "4s")
    for host in ("h2", "h3"):
        command = ("join", RUN, "--key-file", str(lab.key), "--name", host, "--label", "cam")
        lab.start(host, *command)
        until(lambda host=host: "takes part" in lab.said(host), "it takes part")  # type: ignore[misc]
    first = until(lambda: lab.kept()[1000:1001], "items come")[0][1]
    other = {"h2": "h3", "h3": "h2"}[first]
    lab.kill(first)
    lab.works(other)
    lab.processes["h1"].send_signal(signal.SIGINT)
    assert lab.processes["h1"].wait(60) == 0, lab.said("h1")
    kept = lab.kept()
    numbers = {number for number, _ in kept}
    assert numbers == set(range(len(numbers))), "nothing is lost"
    went_on = min(number for number, host in kept if host == other)
    again = len(kept) - len(numbers)
    print(f"\n{other} went on from {went_on:,}, and made {again} of what {first} had made again")
    assert went_on > 500
    assert f"numbers/0 goes on from position {went_on}" in lab.said("h1")


def test_a_cut_of_two_seconds_changes_nothing(lab: Lab) -> None:
    lab.begin()
    lab.works("h1")
    lab.join("h2")
    until(lambda: "takes part" in lab.said("h2"), "it takes part")
    began = time.monotonic()
    lab.works("h2", 1)
    print(f"\nits first item is through {time.monotonic() - began:.2f} s after the host has joined")
    lab.join("h3")
    for _ in range(3):
        lab.works("h2")
        lab.works("h3")
        lab.cut("h2")
        until_later(2.0)
        lab.heal("h2")
        healed = time.monotonic()
        lab.works("h2", 1)
        print(f"\nat work again {time.monotonic() - healed:.2f} s after 2 s of cut")
    assert "lost:" not in lab.said("h1")
    assert "is lost" not in lab.said("h1")
    print(lab.finish())


def test_weather_that_is_bad_one_way_costs_time_and_nothing_else(lab: Lab) -> None:
    lab.begin()
    lab.join("h2")
    lab.works("h2")
    for host in ("h2", "h1"):
        for loss, delay in ((0.2, 0.0), (0.0, 0.2), (0.2, 0.2)):
            with lab.weather(host, loss=loss, delay=delay) as counts:
                began = time.monotonic()
                lab.works("h2", 500)
                took = time.monotonic() - began
                lab.cut("h2")
                until_later(2.0)
                lab.heal("h2")
                began = time.monotonic()
                lab.works("h2", 1)
                again = time.monotonic() - began
            print(f"\n{host} sends with {loss:.0%} lost and {delay:g} s late: {500 / took:,.0f}/s, {counts};")
            print(f"at work again {again:.1f} s after 2 s of cut")
            assert counts["lost"] or not loss
    assert "is lost" not in lab.said("h1")
    totals = lab.finish()
    print(totals)
    assert not totals["twice"]


def test_a_peer_that_was_replaced_comes_back_with_another_address(lab: Lab) -> None:
    lab.begin("--host-timeout", "4s")
    lab.join("h2")
    lab.works("h2")
    lab.kill("h2")
    lab.heal("h2")
    lab.move("h2", "10.77.0.99")
    began = time.monotonic()
    lab.join("h2")
    lab.works("h2", 1)
    print(f"\nat work again {time.monotonic() - began:.1f} s after the new one was started")
    print(lab.finish())


@pytest.mark.skipif(not tunnel.AT_HAND, reason=tunnel.ABSENT)
def test_a_tunnel_that_is_not_whole_is_named_and_one_that_ends_for_long_costs_a_joining_anew(
    lab: Lab,
) -> None:
    loopback, run, there, joined = "tcp://127.0.0.1:7788", [7788], range(7800, 7806), range(7810, 7813)
    ssh = Tunnel(lab)
    lab.begin("--ports", "7800-7805", "--host-timeout", "4s", at=loopback)
    ssh.open(here=(), there=(*run, *there))
    lab.join("h2", "--ports", "7810-7812", at=loopback)
    began = time.monotonic()
    until(lambda: "Keep takes items from tcp://127.0.0.1:781" in lab.said("h1"), "what is missing is named")
    print(f"\nnamed {time.monotonic() - began:.1f} s after the host has joined")
    for length in (1.0, 8.0):
        ssh.cut()
        until_later(length)
        ssh.open(here=joined, there=(*run, *there))
        opened = time.monotonic()
        lab.works("h2", 1)
        print(f"at work again {time.monotonic() - opened:.1f} s after {length:g} s without a tunnel")
        assert ("host h2 is lost" in lab.said("h1")) == (length > 4.0)
    assert "the workers here are ended" in lab.said("h2")
    print(lab.finish())


def test_a_host_behind_a_line_of_one_megabit_does_what_it_can(lab: Lab) -> None:
    lab.begin()
    lab.join("h2")
    lab.works("h2")
    lab.slow("h1", "1mbit")
    lab.slow("h2", "1mbit")
    lab.works("h1", 1000)
    lab.works("h2")
    assert "is lost" not in lab.said("h1")
    print(lab.finish())


def test_a_host_where_workers_die_again_and_again_is_sent_away_and_the_run_goes_on(lab: Lab) -> None:
    app = lab.home("h1") / "app.py"
    crash = "    if os.environ['LAB_HOST'] == 'h2':\n        os._exit(7)\n    time.sleep(0.0005)"
    app.write_text(
        APP.replace("@stage\n", "@stage(max_restarts=2)\n").replace("    time.sleep(0.0005)", crash)
    )
    lab.begin()
    lab.join("h2")
    assert lab.processes["h2"].wait(60) == 5
    assert "work/1 died 3 times within a minute of work, the last time of: exit code 7" in lab.said("h2")
    lab.works("h1")
    print(lab.finish())


def test_when_the_first_host_dies_no_worker_is_left_anywhere(lab: Lab) -> None:
    lab.begin("--host-timeout", "4s")
    lab.join("h2", "--patience", "3s")
    lab.works("h2")
    lab.kill("h1")
    assert lab.processes["h2"].wait(60) == 3, lab.said("h2")
    assert not belonging(f"/dev/shm/{lab.mark}/h2")
    assert not [each for each in os.listdir(f"/dev/shm/{lab.mark}/h2") if not each.startswith(".")]


def until_later(seconds: float) -> None:
    """Wait for so long: the length of a cut is what is tried."""
    end = time.monotonic() + seconds
    until(lambda: time.monotonic() > end, "time passes")
