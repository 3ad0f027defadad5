"""Who came through a tunnel finds the others, or hears in one sentence why not."""

from __future__ import annotations

import pytest

from penstock.runtime.hosts.machine import machine
from penstock.runtime.hosts.tunnel import first, refusal
from penstock.runtime.hostwire import VERSION, Join

LOOPBACK = "tcp://127.0.0.1:7788"
SECOND = Join(VERSION, "0", "second", 2, address="127.0.0.1", ports="7810-7819", machine="b")


@pytest.mark.parametrize(
    ("listen", "ports", "join", "sentence"),
    [
        (LOOPBACK, "7800-7809", {}, ""),
        ("tcp://*:7788", "7800-7809", {}, ""),
        (LOOPBACK, "", {"ports": "", "machine": "a"}, ""),
        (LOOPBACK, "7800-7812", {"machine": "a"}, ""),
        (LOOPBACK, "", {"ports": "", "machine": ""}, ""),
        ("tcp://10.0.0.5:7788", "", {"ports": "", "address": "10.0.0.6"}, ""),
        (LOOPBACK, "7800-7809", {"ports": ""}, "second is found on loopback alone"),
        (LOOPBACK, "", {}, "the run is found on loopback alone"),
        (LOOPBACK, "7800-7810", {}, "ports 7810-7819 are those of the run, too"),
        ("tcp://*:7788", "7819-7819", {}, "ports 7810-7819 are those of the run, too"),
        ("tcp://10.0.0.5:7788", "", {}, "the run has to listen on loopback"),
        (LOOPBACK, "7800-7809", {"ports": "7819-7810"}, "its ports are none"),
        (LOOPBACK, "7800-7809", {"ports": "7810-77777"}, "its ports are none"),
        (LOOPBACK, "7800-7809", {"ports": "many"}, "its ports are none"),
    ],
)
def test_ports_have_to_be_said_where_a_tunnel_leads_and_are_those_of_one_host(
    listen: str, ports: str, join: dict[str, str], sentence: str
) -> None:
    said = Join(VERSION, "0", "second", 2, **{**_fields(SECOND), "reach": "127.0.0.1", **join})  # type: ignore[arg-type]
    found = refusal(said, first(listen, ports, reach="127.0.0.1", machine="a"), [])
    assert sentence in found
    assert bool(sentence) == bool(found)


def test_two_hosts_behind_tunnels_have_ports_of_their_own() -> None:
    here = first(LOOPBACK, "7800-7809", reach="127.0.0.1", machine="a")
    third = Join(VERSION, "0", "third", 2, address="127.0.0.1", ports="7815-7825", machine="c")
    assert "are those of second, too" in refusal(third, here, [SECOND])
    assert refusal(third, here, []) == ""


def test_this_machine_is_told_from_others() -> None:
    assert machine() == machine() != ""


def _fields(join: Join) -> dict[str, str]:
    return {"address": join.address, "ports": join.ports, "machine": join.machine}
