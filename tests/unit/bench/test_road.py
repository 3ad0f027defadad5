"""The road between two hosts."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from penstock.bench.road import FAR, LOOPBACK, TOOLS, Weather, made


def test_weather_is_said_in_words_of_tc() -> None:
    weather = Weather(latency="5ms", rate="1.5mbit", loss="1%")
    assert weather.words == ["delay", "5ms", "rate", "1.5mbit", "loss", "1%"]
    assert weather.bytes_per_second == 187_500
    assert Weather().words == []
    assert Weather(rate="800bit").bytes_per_second == 100


def test_who_is_not_root_is_told_that_it_is_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with made(Weather(rate="1mbit"), told.append) as road:
        assert road == LOOPBACK
    assert told == ["net  is measured over loopback, and as it is: only root may make network namespaces"]


def test_a_missing_tool_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda tool: None if tool == "ip" else tool)
    with made(Weather(), told.append) as road:
        assert road == LOOPBACK
    assert told == ["net  is measured over loopback, and as it is: it needs ip"]


def test_two_hosts_see_each_other_and_nothing_else() -> None:
    if os.geteuid() != 0 or any(shutil.which(tool) is None for tool in TOOLS):
        pytest.skip("only root may make network namespaces")
    told: list[str] = []
    with made(Weather(), told.append) as road:
        if told:
            pytest.skip(told[0])
        for through in (road.near, road.far):
            routes = subprocess.check_output([*through, "ip", "-o", "route"], text=True)
            assert len(routes.splitlines()) == 1
        shown = subprocess.check_output([*road.far, "ip", "-o", "address"], text=True)
        assert FAR in shown
