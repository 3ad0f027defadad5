"""The verbs of a pipeline that runs, typed in another terminal."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.acceptance.cli.terminal import APP, LIMIT, Terminal, finish


def test_ps_shows_every_worker_and_the_line_that_adds_up(terminal: Terminal) -> None:
    terminal.run()
    shown = terminal.type("ps").stdout
    assert shown.startswith("gated   running   up ")
    for worker in ("numbers/0", "gate/0", "Save/0"):
        assert f"\n{worker} " in shown
    assert shown.splitlines()[-1].count(" in, 0 out, 0 lost, 0 dead") == 1


def test_ps_for_scripts(terminal: Terminal) -> None:
    terminal.run()
    document = terminal.ask("ps")
    assert document["schema"] == "penstock.ps/1"
    [pipeline] = document["pipelines"]
    assert (pipeline["pipeline"], pipeline["state"]) == ("gated", "running")
    assert [stage["ready"] for stage in pipeline["stages"]] == [1, 1, 1]
    assert terminal.type("ps", "-q").stdout.split() == ["numbers/0", "gate/0", "Save/0"]


@pytest.mark.parametrize("verb", ["ps", "drain", "stop", "scale gate=2", "restart", "wait --for ended"])
def test_where_nothing_runs_every_verb_says_so_and_ends_with_3(terminal: Terminal, verb: str) -> None:
    said = terminal.type(*verb.split(), code=3).stderr
    assert "no pipeline is running here; start one with `penstock run app.py`" in said
    assert terminal.ask(*verb.split(), code=3)["schema"] == "penstock.error/1"


def test_when_several_run_a_name_is_asked_for_with_the_list(terminal: Terminal) -> None:
    terminal.write("other.py", APP.replace('"gated"', '"other"'))
    terminal.run(name="gated")
    other = terminal.run("other.py", name="other")
    said = terminal.type("drain", code=3).stderr
    assert "2 pipelines are running here: gated-" in said
    assert "other-" in said
    assert "say which with -p NAME" in said
    assert [each["pipeline"] for each in terminal.ask("ps")["pipelines"]] == ["gated", "other"]
    terminal.open_gate()
    terminal.type("drain", "-p", "other")
    finish(other)
    assert [each["pipeline"] for each in terminal.ask("ps")["pipelines"]] == ["gated"]


def test_an_unknown_name_is_answered_with_what_runs(terminal: Terminal) -> None:
    terminal.run()
    assert "gatd is not running here; what runs is gated" in terminal.type("ps", "-p", "gatd", code=3).stderr


def test_scale_and_wait_is_content_when_exactly_so_many_are_ready(terminal: Terminal) -> None:
    terminal.run()
    terminal.open_gate()
    assert terminal.type("scale", "gate=3", "--wait", "--timeout", "30s").stdout == "gate   1 → 3\n"
    assert len([name for name in terminal.type("ps", "-q").stdout.split() if name.startswith("gate/")]) == 3
    assert terminal.ask("scale", "gate=1", "--wait", "--timeout", "30s")["stages"] == [
        {"stage": "gate", "before": 3, "after": 1}
    ]
    assert "gate/0" in terminal.type("ps", "-q").stdout.split()


def test_scaling_waits_only_as_long_as_it_may(terminal: Terminal) -> None:
    terminal.run()
    terminal.type("scale", "gate=2", "--wait", "--timeout", "30s")
    # A worker that holds an item at the closed gate cannot leave.
    said = terminal.type("scale", "gate=1", "--wait", "--timeout", "200ms", code=6).stderr
    assert "gate did not get that far within 0.2 s" in said


def test_a_misspelt_stage_is_refused_before_any_is_scaled(terminal: Terminal) -> None:
    terminal.run()
    said = terminal.type("scale", "gate=2", "gaet=3", code=4).stderr
    assert "gated has no stage 'gaet'; did you mean 'gate'?" in said
    assert len(terminal.type("ps", "-q").stdout.split()) == 3


def test_sources_are_not_scaled(terminal: Terminal) -> None:
    terminal.run()
    assert "numbers is a source" in terminal.type("scale", "numbers=2", code=4).stderr


def test_a_wish_that_is_no_wish_is_a_usage_error(terminal: Terminal) -> None:
    assert "'gate' is not STAGE=NUMBER, like detect=4" in terminal.type("scale", "gate", code=2).stderr


def test_drain_finishes_what_is_in_flight_and_shows_the_ledger(terminal: Terminal) -> None:
    run = terminal.run()
    terminal.open_gate()
    shown = terminal.type("drain").stdout
    assert "gated   ended" in shown
    entered, out = (part.split()[-2] for part in shown.split(",")[:2])
    assert entered == out
    assert "0 lost, 0 dead" in shown
    assert "0 lost, 0 dead" in finish(run)


def test_a_drain_that_takes_too_long_ends_with_6_and_goes_on(terminal: Terminal) -> None:
    run = terminal.run()
    said = terminal.type("drain", "--timeout", "200ms", code=6).stderr
    assert "after 0.2 s gated has not ended" in said
    assert "`penstock stop` does not wait for them" in said
    assert terminal.ask("ps")["pipelines"][0]["state"] == "draining"
    terminal.open_gate()
    finish(run)


def test_stop_leaves_what_is_in_flight_and_counts_it(terminal: Terminal) -> None:
    run = terminal.run()
    document = terminal.ask("stop", "--now")
    assert document["totals"]["unfinished"] > 0
    assert document["totals"]["lost"] == 0
    finish(run, 143)


def test_wait_may_begin_before_the_pipeline_does(terminal: Terminal) -> None:
    waiting = terminal.start("wait", "--for", "ready", "--timeout", "30s")
    terminal.start("run", "app.py")
    assert finish(waiting) == "gated is ready\n"


def test_wait_ends_with_6_when_it_was_not_in_time(terminal: Terminal) -> None:
    terminal.run()
    said = terminal.type("wait", "--for", "idle", "--timeout", "200ms", code=6).stderr
    assert "gated was not idle within 0.2 s" in said
    assert (
        "did not appear"
        in terminal.type("wait", "--for", "ready", "-p", "x", "--timeout", "50ms", code=6).stderr
    )


def test_wait_until_drained_and_ended(terminal: Terminal) -> None:
    terminal.run()
    waiting = [terminal.start("wait", "--for", goal) for goal in ("drained", "ended")]
    terminal.await_callers(2)
    terminal.open_gate()
    (terminal.directory / "enough").touch()
    assert all("0 lost, 0 dead" in finish(each) for each in waiting)


def test_what_was_cut_short_was_never_drained(terminal: Terminal) -> None:
    terminal.run()
    waiting = terminal.start("wait", "--for", "drained")
    terminal.await_callers(1)
    terminal.type("stop", "--now")
    assert "has ended, and never was drained" in finish(waiting, 1)


def test_ctrl_c_in_a_verb_is_quiet_and_leaves_the_pipeline_alone(terminal: Terminal) -> None:
    terminal.run()
    program = (
        "import os, signal, sys; from penstock.runtime import client; from penstock.cli.main import answer\n"
        "ask = client.call\n"
        "def call(run, verb, /, **arguments):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    return ask(run, verb, **arguments)\n"
        "client.call = call\n"
        "sys.exit(answer(['wait', '--for', 'ended']))"
    )
    waiting = terminal.start("-c", program, command=[sys.executable])
    assert finish(waiting, 130) == ""
    assert terminal.ask("ps")["pipelines"][0]["state"] == "running"


def test_python_app_py_is_penstock_run(terminal: Terminal) -> None:
    run = terminal.start("app.py", command=[sys.executable])
    terminal.type("wait", "--for", "ready", "--timeout", "30s")
    terminal.open_gate()
    assert terminal.ask("ps")["pipelines"][0]["pipeline"] == "gated"
    terminal.type("drain")
    finish(run)
    assert "saving begins" in terminal.type("logs", "Save").stdout


def test_restart_replaces_one_worker_after_the_other_and_shows_it(terminal: Terminal) -> None:
    run = terminal.run()
    terminal.open_gate()
    terminal.type("scale", "gate=2", "--wait", "--timeout", "30s")
    before = {each["worker"]: each["pid"] for each in workers(terminal)}
    shown = terminal.type("restart", "gate", "--timeout", "30s").stdout.splitlines()
    assert [line.split()[:2] for line in shown] == [["gate/0", "restarted"], ["gate/1", "restarted"]]
    after = {each["worker"]: each["pid"] for each in workers(terminal)}
    assert {name for name in before if before[name] != after[name]} == {"gate/0", "gate/1"}
    terminal.type("drain", "--timeout", "30s")
    assert "0 lost, 0 dead" in finish(run)


def test_restart_of_all_begins_also_the_source_anew(terminal: Terminal) -> None:
    run = terminal.run()
    terminal.open_gate()
    document = terminal.ask("restart", "--timeout", "30s")
    assert document["schema"] == "penstock.restart/1"
    assert [each["worker"] for each in document["workers"]] == ["numbers/0", "gate/0", "Save/0"]
    terminal.type("drain", "--timeout", "30s")
    assert "numbers/0 starts from its beginning" in finish(run)


def test_code_that_cannot_be_loaded_any_more_does_no_harm(terminal: Terminal) -> None:
    run = terminal.run()
    terminal.open_gate()
    terminal.write("app.py", "this is no Python")
    said = terminal.type("restart", "gate", "--timeout", "30s", code=1).stderr
    assert "gate/0 was not restarted: the successor of gate/0 did not get ready; gate/0 goes on" in said
    assert terminal.ask("ps")["pipelines"][0]["state"] == "running"
    terminal.type("drain", "--timeout", "30s")
    assert "0 lost, 0 dead" in finish(run)


def test_a_restart_waits_only_as_long_as_it_may(terminal: Terminal) -> None:
    terminal.run()
    # The old worker holds an item at the closed gate.
    said = terminal.type("restart", "gate/0", "--timeout", "2s", code=6).stderr
    assert "gate/0 was not restarted within 2 s; it goes on all the same" in said


def test_what_cannot_be_restarted_is_refused_with_the_nearest(terminal: Terminal) -> None:
    terminal.run()
    assert "no stage 'gaet'; did you mean 'gate'?" in terminal.type("restart", "gaet", code=4).stderr
    assert "there is no gate/3; there are gate/0" in terminal.type("restart", "gate/3", code=4).stderr
    assert "'gate/x' is not STAGE or STAGE/REPLICA" in terminal.type("restart", "gate/x", code=2).stderr


def workers(terminal: Terminal) -> list[dict[str, Any]]:
    """All workers of the one pipeline."""
    [pipeline] = terminal.ask("ps")["pipelines"]
    return [each for stage in pipeline["stages"] for each in stage["replicas"]]


def seen(terminal: Terminal, holds: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """What `ps --json` says of the pipeline, once it says what is looked for."""
    deadline = time.monotonic() + LIMIT
    while True:
        pipeline: dict[str, Any] = terminal.ask("ps")["pipelines"][0]
        if holds(pipeline):
            return pipeline
        assert time.monotonic() < deadline, pipeline


def test_ps_names_the_bottleneck_and_shows_why(terminal: Terminal) -> None:
    terminal.run()

    def is_told(it: dict[str, Any]) -> object:
        gate, save = (stage["replicas"][0] for stage in it["stages"][1:])
        return (
            it["bottleneck"] and it["links"][0]["fill"] == 1.0 and gate["busy"] > 0.6 and save["idle"] > 0.6
        )

    pipeline = seen(terminal, is_told)  # what was before the first item counts, too, for some seconds
    assert pipeline["bottleneck"]["stage"] == "gate"
    assert pipeline["bottleneck"]["sentence"].startswith("gate is the bottleneck: ")
    assert "\ngate is the bottleneck: " in terminal.type("ps").stdout
    gate, save = (stage["replicas"][0] for stage in pipeline["stages"][1:])
    assert gate["busy"] > max(gate["idle"], gate["waiting"])
    assert save["idle"] > max(save["busy"], save["waiting"])
    for worker in (gate, save):
        assert worker["busy"] + worker["idle"] + worker["waiting"] == pytest.approx(1.0, abs=0.01)
        assert worker["rss_bytes"] > 10**6
    assert pipeline["links"][0]["oldest"] > 0
    terminal.open_gate()
    pipeline = seen(terminal, lambda it: it["stages"][1]["replicas"][0]["p99"])
    gate = pipeline["stages"][1]["replicas"][0]
    assert 0 < gate["p50"] <= gate["p99"]
    assert pipeline["links"][0]["transport"] == "socket"


ARRAYS = """
import numpy
from penstock import Context, Pipeline, sink, source

@source
def frames(ctx: Context):
    while not ctx.stopping:
        yield numpy.zeros(100_000)

@sink
def keep(frame: numpy.ndarray) -> None: ...

pipeline = Pipeline("arrays", frames >> keep)
"""


def test_ps_tells_what_carries_the_arrays(terminal: Terminal) -> None:
    terminal.write("app.py", ARRAYS)
    terminal.run()
    link = seen(terminal, lambda it: it["links"][0]["bytes_rate"])["links"][0]
    assert link["transport"] == "shared memory"
    assert 0 < link["shared"] <= link["bytes"]


def test_a_paused_source_makes_nothing_more_also_after_its_death_until_it_is_resumed(
    terminal: Terminal,
) -> None:
    run = terminal.run()
    terminal.open_gate()
    assert terminal.type("pause", "numbers").stdout == "numbers   paused\n"
    terminal.type("wait", "--for", "idle", "--timeout", "30s")
    before = terminal.ask("ps")["pipelines"][0]
    assert before["stages"][0]["paused"]
    assert before["stages"][0]["replicas"][0]["state"] == "paused"
    os.kill(before["stages"][0]["replicas"][0]["pid"], signal.SIGKILL)
    terminal.type("wait", "--for", "ready", "--timeout", "30s")
    terminal.type("wait", "--for", "idle", "--timeout", "30s")
    after = terminal.ask("ps")["pipelines"][0]
    assert after["totals"]["entered"] == before["totals"]["entered"]
    assert terminal.ask("resume")["stages"] == ["numbers", "gate", "Save"]
    terminal.type("drain", "--timeout", "30s")
    assert "numbers goes on" in finish(run)


def test_a_paused_pipeline_that_is_drained_goes_on_and_finishes_everything(terminal: Terminal) -> None:
    run = terminal.run()
    assert terminal.type("pause").stdout == "gated is paused: no stage begins anything more\n"
    assert terminal.type("resume").stdout == "gated goes on: numbers, gate, Save was paused\n"
    terminal.type("pause")
    terminal.open_gate()
    shown = terminal.type("drain", "--timeout", "30s").stdout
    assert "0 lost, 0 dead" in shown
    assert "gate goes on" in finish(run)


def test_a_misspelt_stage_is_not_paused_and_no_other_either(terminal: Terminal) -> None:
    terminal.run()
    assert "did you mean 'gate'?" in terminal.type("pause", "Save", "gaet", code=4).stderr
    assert not any(stage["paused"] for stage in terminal.ask("ps")["pipelines"][0]["stages"])
