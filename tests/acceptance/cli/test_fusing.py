"""What shares a process, as the verbs and the configuration see it."""

from __future__ import annotations

import sys

import pytest

from tests.acceptance.cli.terminal import APP, Terminal, finish

STEPS = """
import penstock

def double(number: int) -> int:
    return number * 2

class Below:
    def setup(self, ctx: Context) -> None:
        ctx.log.info("counting begins")
    def setup_host(self) -> None:
        print("once")
    def __call__(self, number: int, ctx: Context) -> bool:
        return number < 2 * ctx.config.get("most", 1 << 60)
    def teardown(self) -> None:
        print("counting ends")

pipeline = Pipeline("gated", numbers >> penstock.map(double) >> penstock.filter(Below) >> gate >> Save)

if __name__"""


@pytest.fixture
def fusing(terminal: Terminal) -> Terminal:
    """A terminal with an app whose steps go into `gate`."""
    head, _, tail = APP.rpartition("if __name__")
    terminal.write("app.py", head + STEPS + tail)
    return terminal


def test_graph_and_check_say_what_shares_a_process(fusing: Terminal) -> None:
    assert "●   [double + Below + gate]   stage    app:gate" in fusing.type("graph").stdout
    assert '"[double + Below + gate]"' in fusing.type("graph", "--format", "mermaid").stdout
    (stage,) = [stage for stage in fusing.ask("graph")["stages"] if stage["steps"]]
    assert [(step["name"], step["how"]) for step in stage["steps"]] == [
        ("double", "map"),
        ("Below", "filter"),
        ("gate", "stage"),
    ]
    assert "[double + Below + gate] is one process, gate" in fusing.type("check").stdout


def test_ps_says_it_too_and_who_names_a_step_is_told_where_it_runs(fusing: Terminal) -> None:
    fusing.run()
    assert "gate runs double + Below + gate" in fusing.type("ps").stdout
    told = [stage["steps"] for stage in fusing.ask("ps")["pipelines"][0]["stages"]]
    assert told == [[], ["double", "Below", "gate"], []]
    for verb in (
        ["scale", "double=2"],
        ["pause", "double"],
        ["restart", "double"],
        ["tap", "double"],
        ["debug", "double"],
    ):
        said = fusing.type(*verb, code=4).stderr
        assert "'double' runs in the process of 'gate': name that, or say fuse=False of 'double'" in said


def test_all_that_shares_a_process_is_set_up_once_and_torn_down(fusing: Terminal) -> None:
    run = fusing.run()
    fusing.open_gate()
    fusing.type("drain")
    finish(run)
    lines = fusing.type("logs", "gate").stdout
    assert lines.count("once") == 1
    assert lines.count("penstock.Below  counting begins") == 1
    assert lines.count("counting ends") == 1


@pytest.mark.parametrize("said", ["double.fuse=false", "double.replicas=2", "gate.fuse=false"])
def test_a_flag_that_gives_a_step_something_of_its_own_gives_it_a_process(
    fusing: Terminal, said: str
) -> None:
    titles = {
        "double.fuse=false": ["numbers", "double", "[Below + gate]", "Save"],
        "double.replicas=2": ["numbers", "double", "[Below + gate]", "Save"],
        "gate.fuse=false": ["numbers", "[double + Below]", "gate", "Save"],
    }
    shown = fusing.type("graph", "--set", said).stdout.splitlines()[2::2]
    assert [line.partition("●   ")[2].partition("   ")[0] for line in shown] == titles[said]


def test_fusion_that_cannot_be_is_refused_where_it_is_asked_for(fusing: Terminal) -> None:
    fusing.write("penstock.toml", '[stages.Save]\nreplicas = 2\n[stages.gate]\nfuse = true\nkey = "a"\n')
    said = fusing.type("check", code=1).stdout
    assert (
        "penstock.toml:4: 'gate' has fuse=True and fits into no neighbour's process; it has key= of its own"
        in said
    )
    fusing.write("penstock.toml", "[stages.gate]\nfuse = true\n")
    assert "[double + Below + gate + Save] is one process, Save" in fusing.type("check").stdout


YIELDS = """
from penstock import Pipeline, sink, source, stage

@source
def numbers():
    yield from range(3)

@sink
def save(number):
    print(number)

pipeline = Pipeline("text", numbers >> stage("steps.py:several", fuse=True) >> save)
"""


def test_code_named_by_a_text_that_yields_after_all_is_refused_when_it_is_loaded(terminal: Terminal) -> None:
    terminal.write("app.py", YIELDS)
    terminal.write("steps.py", "def several(number):\n    yield number\n")
    said = terminal.type("run", "app.py", code=1).stderr
    assert (
        "'several' yields, and what runs behind it in its process would fail for all it has yielded" in said
    )


def test_a_test_with_real_processes_is_told_where_a_step_runs(fusing: Terminal) -> None:
    script = """
        import app, penstock
        with app.pipeline.running() as run:
            try:
                run.kill("double", 0)
            except penstock.UserError as error:
                print(error)
            run.wait_ready()
            run.kill("gate", 0)
            run.wait_ready()
    """
    fusing.write("script.py", script)
    out, _ = fusing.start(command=[sys.executable, "script.py"]).communicate(timeout=60)
    assert out == "'double' runs in the process of 'gate': name that\n"
