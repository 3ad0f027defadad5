from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

import penstock
from penstock import Pipeline, WiringError, route, sink, source, stage
from penstock.pipeline.plan import outlets

SOURCE = str(Path(penstock.__file__).parents[1])


@source
def camera() -> Any:
    yield 1


@stage(ports=("odd",))
def clean(item: int) -> int:
    return item


@sink
def save(item: int) -> None: ...


@sink
def show(item: int) -> None: ...


def labels(pipeline: Pipeline) -> list[str]:
    return [link.label for link in pipeline.plan().links]


def test_flows_of_a_pipeline_are_wired_together() -> None:
    pipeline = Pipeline("demo", camera >> clean >> save, clean["odd"] >> show, clean >> show)
    assert labels(pipeline) == ["camera→clean", "clean→save", "clean[odd]→show", "clean→show"]


def test_a_wire_may_say_what_it_drops_and_else_its_target_does() -> None:
    pipeline = Pipeline("demo", camera >> clean, clean["odd"] >> show.with_options(on_full="drop_newest"))
    pipeline.connect(clean, save, on_full="drop_oldest")
    plan = pipeline.plan()
    assert [link.on_full for link in plan.links] == ["block", "drop_newest", "drop_oldest"]
    (out,) = [link for outlet in outlets(plan, "clean") for link in outlet.links if link.target == "save"]
    assert out.on_full == "drop_oldest"
    pipeline.connect(clean, save)
    assert pipeline.plan() == plan, "said once is enough"
    pipeline.connect(clean, save, on_full="block")
    with pytest.raises(WiringError, match=r"'clean' >> 'save' has on_full='block' here and 'drop_oldest' in"):
        pipeline.plan()


def test_a_wire_that_drops_to_a_stage_with_a_key_is_refused() -> None:
    keyed = save.with_options(key="user")
    pipeline = Pipeline("demo", camera >> clean >> show, clean["odd"] >> show)
    pipeline.connect(clean, keyed, on_full="drop_oldest")
    with pytest.raises(WiringError, match=r"test_pipeline.py:\d+: 'save' has a key= and 'clean' drops"):
        pipeline.plan()
    with pytest.raises(WiringError, match="a link with a key keeps all"):
        Pipeline("demo", camera >> keyed.with_options(on_full="drop_newest")).plan()
    with pytest.raises(WiringError, match="'save' has a key= and a max_age="):
        Pipeline("demo", camera >> keyed.with_options(max_age="1s")).plan()


def test_a_wire_that_would_drop_in_a_way_there_is_not_is_refused_where_it_is_written() -> None:
    wrong: Any = "drop"
    with pytest.raises(WiringError, match=r"test_pipeline.py:\d+: on_full='drop': there is no such choice"):
        Pipeline("demo").connect(camera, clean, on_full=wrong)


def test_connecting_in_plain_calls_is_the_same_as_wiring() -> None:
    pipeline = Pipeline("demo")
    pipeline.connect(camera, clean)
    pipeline.connect(clean, save)
    pipeline.connect(clean, show, port="odd")
    assert labels(pipeline) == labels(Pipeline("demo", camera >> clean >> save, clean["odd"] >> show))


def test_a_plan_says_what_the_pipeline_said() -> None:
    plan = Pipeline("demo", camera >> route(save, show, by="kind"), allow_pickle=True).plan()
    assert (plan.pipeline, plan.allow_pickle) == ("demo", True)
    assert [each.name for each in plan.stages] == ["camera", "save", "show"]
    assert [route.links for route in plan.routes] == [[0, 1]]


def test_a_pipeline_knows_its_file() -> None:
    assert Pipeline("demo").file == __file__


REFUSED: list[tuple[Callable[[], Any], str]] = [
    (lambda: Pipeline("a/b", camera >> save), "a name is made of"),
    (lambda: Pipeline("demo", print), "print is no stage"),  # type: ignore[arg-type]
    (lambda: Pipeline("demo").plan(), "the pipeline 'demo' has no stages"),
    (lambda: Pipeline("demo").connect(save, clean), "nothing comes out of 'save'"),  # type: ignore[misc]
    (lambda: Pipeline("demo").connect(clean, show, port="even"), "'clean' has no port 'even'"),
    (lambda: Pipeline("demo").connect(camera >> clean, show, port="odd"), "has no ports; name the stage"),
]


@pytest.mark.parametrize(("build", "sentence"), REFUSED, ids=[sentence for _, sentence in REFUSED])
def test_what_cannot_be_a_pipeline_is_refused_at_its_line(build: Callable[[], Any], sentence: str) -> None:
    with pytest.raises(WiringError, match=sentence) as caught:
        build()
    assert (caught.value.where or "").endswith(f"test_pipeline.py:{build.__code__.co_firstlineno}")


def test_a_stage_without_an_end_is_refused_where_it_is_defined() -> None:
    with pytest.raises(WiringError, match="what 'clean' puts out goes nowhere") as caught:
        Pipeline("demo", camera >> clean).plan()
    assert caught.value.where == clean.where


def test_the_same_stage_with_other_options_needs_another_name() -> None:
    flow = camera >> clean.with_options(ports=()) >> save
    with pytest.raises(WiringError, match=r"two stages are named 'clean'.*\.named"):
        Pipeline("demo", flow, camera >> clean >> save).plan()


def test_running_runs_the_plan_in_the_foreground(monkeypatch: pytest.MonkeyPatch) -> None:
    run_foreground = Mock(return_value=0)
    monkeypatch.setitem(sys.modules, "penstock.runtime.run", Mock(run_foreground=run_foreground))
    pipeline = Pipeline("demo", camera >> save)
    assert pipeline.run() == 0
    run_foreground.assert_called_once_with(pipeline.plan(), app=__file__, resume=False)


APP = """
from __future__ import annotations
from typing import TYPE_CHECKING, Iterator, Optional
from penstock import Context, Pipeline, route, sink, source, stage
if TYPE_CHECKING:
    from nowhere import Frame

@source(max_restarts=3)
def camera(ctx: Context) -> Iterator[Frame]:
    yield 1

@stage(replicas=2, timeout="30s", ports=("odd",))
class Clean:
    def setup(self, ctx: Context): ...
    def __call__(self, item: int | str) -> Optional[int]: ...

def by_size(item): ...

@sink
def save(item: list[int]) -> None: ...

show = sink("steps/show.py:show")
pipeline = Pipeline("demo", camera >> Clean >> route(save, show, by=by_size), Clean["odd"] >> save)
{last}
"""

PLAN = """
import sys, msgspec
sys.path.insert(0, {folder!r})
from app import pipeline
print(msgspec.json.encode(pipeline.plan()).decode())
heavy = {{"zmq", "numpy", "asyncio", "click", "penstock.runtime"}}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""


def write_app(folder: Path, last: str = "") -> None:
    (folder / "app.py").write_text(APP.format(last=last))
    (folder / "steps").mkdir()
    (folder / "steps" / "show.py").write_text("import a_package_we_do_not_have\ndef show(item): ...\n")


def run(python: str, code: str) -> subprocess.CompletedProcess[str]:
    command = [python, "-c", code]
    return subprocess.run(command, env={"PYTHONPATH": SOURCE}, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("version", ["3.9", "3.10", "3.13"])
def test_every_python_that_runs_a_worker_reads_the_same_pipeline_from_a_file(
    version: str, worker_python: Callable[[str], str], tmp_path: Path
) -> None:
    write_app(tmp_path)
    ours, theirs = (
        run(python, PLAN.format(folder=str(tmp_path))) for python in (sys.executable, worker_python(version))
    )
    assert (ours.stderr, theirs.stderr) == ("", "")
    assert without_lines(theirs.stdout) == without_lines(ours.stdout)


def without_lines(plan: str) -> Any:
    """A plan without the lines of the definitions: of a decorated class, Pythons name different ones."""
    found = json.loads(plan)
    for each in found["stages"]:
        del each["where"]
    return found


def test_a_file_that_runs_its_pipeline_when_imported_is_refused(tmp_path: Path) -> None:
    write_app(tmp_path, last="pipeline.run()")
    done = run(sys.executable, PLAN.format(folder=str(tmp_path)))
    assert 'put it under `if __name__ == "__main__":`' in done.stderr.splitlines()[-1]


def test_wrong_wiring_is_one_sentence_and_exit_code_4_also_when_the_script_runs_itself(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert Pipeline("demo").run() == 4
    sentence = capsys.readouterr().err
    assert sentence.count("\n") == 1
    assert "test_pipeline.py:" in sentence
    assert "the pipeline 'demo' has no stages" in sentence
