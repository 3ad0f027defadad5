"""A pipeline on two hosts between which there is nothing but SSH."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import hosts, tunnel
from tests.hosts import Lab
from tests.tunnel import Tunnel

LOOPBACK = "tcp://127.0.0.1:7788"
RUN, THERE, JOINED = range(7788, 7789), range(7800, 7806), range(7810, 7813)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path, 2)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def ssh(lab: Lab) -> Tunnel:
    if not tunnel.AT_HAND:
        assert os.environ.get("CI") != "true", tunnel.ABSENT
        pytest.skip(tunnel.ABSENT)
    return Tunnel(lab)


@pytest.mark.skipif(not hosts.AT_HAND, reason="network namespaces need root and iproute2")
def test_a_pipeline_works_through_ssh_alone_and_loses_nothing_when_that_is_killed(
    lab: Lab, ssh: Tunnel
) -> None:
    lab.begin("--ports", "7800-7805", at=LOOPBACK)
    ssh.open(here=JOINED, there=(*RUN, *THERE))
    lab.join("h2", "--ports", "7810-7812", at=LOOPBACK)
    lab.works("h2")
    ssh.cut()
    lab.works("h1", 500)
    ssh.open(here=JOINED, there=(*RUN, *THERE))
    lab.works("h2", 200)
    assert "lost" not in lab.said("h1")
    print(lab.finish())
