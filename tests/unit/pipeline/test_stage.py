# mypy: disable-error-code="attr-defined, union-attr"
# mypy leaves the type of a decorated class as it was; `Detect` is a Stage.
from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

from penstock import Context, WiringError, sink, source, stage
from penstock.pipeline.plan import StagePlan
from penstock.pipeline.reference import Reference
from penstock.pipeline.stage import Sink, Source, Stage


@source(max_restarts=3)
def camera(ctx: Context) -> Any:
    """Images."""
    yield 1


@stage
def clean(item: int, factor: int = 2) -> int:
    """Make it clean."""
    return item * factor


@stage(replicas=2, timeout="30s", name="finder", ports=("odd",))
class Detect:
    """Finds boxes."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, item: int) -> int:
        self.count += 1
        return item


@sink
def save(item: int) -> None: ...


here = Path(__file__)


def test_calling_a_decorated_function_calls_the_function() -> None:
    assert clean(3) == 6
    assert clean(3, factor=5) == 15
    assert list(camera(Context())) == [1]


def test_calling_a_decorated_class_makes_an_instance() -> None:
    detect: Any = Detect()
    assert isinstance(detect, Detect.target)
    assert (detect(4), detect.count) == (4, 1)


def test_what_is_decorated_keeps_its_face() -> None:
    assert inspect.getdoc(clean) == "Make it clean."
    assert list(inspect.signature(clean).parameters) == ["item", "factor"]
    assert "clean" in repr(clean)


def test_decorators_make_sources_stages_and_sinks() -> None:
    assert [type(each) for each in (camera, clean, Detect, save)] == [Source, Stage, Stage, Sink]
    assert [each.kind for each in (camera, clean, Detect, save)] == ["source", "stage", "stage", "sink"]
    assert [each.name for each in (camera, clean, Detect, save)] == ["camera", "clean", "finder", "save"]


def test_a_stage_knows_where_it_was_written() -> None:
    assert clean.where.endswith(f"test_stage.py:{clean.target.__code__.co_firstlineno}")


def test_a_second_use_has_its_own_name_and_options() -> None:
    again = clean.named("again").with_options(replicas=4)
    assert (again.name, again.options.replicas, again.target, again.where) == (
        "again",
        4,
        clean.target,
        clean.where,
    )
    assert (clean.name, clean.options.replicas) == ("clean", 1)
    assert again.plan().code == clean.plan().code


def test_a_stage_becomes_a_plan_with_its_knobs() -> None:
    plan = Detect.plan()
    assert plan == StagePlan(
        name="finder",
        kind="stage",
        code=Reference(plan.code.root, __name__, "Detect"),
        replicas=2,
        timeout=30.0,
        ports=("odd",),
        gives="one",
        where=Detect.where,
    )


def test_an_undecorated_function_is_left_as_it_is() -> None:
    def plain(item: int) -> int:
        return item

    made = stage(plain)
    assert made.target is plain
    assert made.name == "plain"


def test_a_stage_named_by_a_string_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "steps.py").write_text("raise RuntimeError('imported')\ndef clean(item): ...\n")
    named: dict[str, Any] = {}
    text = "from penstock import stage\nclean = stage('steps.py:clean', replicas=2)\n"
    exec(compile(text, str(tmp_path / "app.py"), "exec"), named)
    found = named["clean"]
    assert found.plan().code == Reference(str(tmp_path), "steps", "clean")
    assert (found.name, found.target, found.options.replicas) == ("clean", None, 2)
    with pytest.raises(
        WiringError, match="the code of 'clean' is not loaded here; import steps:clean to call it"
    ):
        found(1)


def test_a_stage_named_by_a_module_has_the_last_name() -> None:
    assert stage("vision.steps:Tools.clean").name == "clean"


def test_a_string_that_names_nothing_is_refused_at_its_line() -> None:
    with pytest.raises(
        WiringError, match=r"test_stage.py:\d+: there is no file .*test_stagee.py; did you mean"
    ):
        stage("test_stagee.py:clean")


def test_a_knob_that_is_not_possible_is_refused_at_its_line() -> None:
    with pytest.raises(WiringError, match=r"test_stage.py:\d+: timeout=30: "):
        stage(timeout=30)  # type: ignore[call-overload]
    with pytest.raises(
        WiringError, match=r"test_stage.py:\d+: there is no knob 'replica'; did you mean 'replicas'"
    ):
        clean.with_options(replica=2)  # type: ignore[call-arg]
    with pytest.raises(WiringError, match=r"test_stage.py:\d+: name='a b': "):
        clean.named("a b")


@pytest.mark.parametrize("value", [5, clean, [print]])
def test_only_functions_and_classes_can_be_decorated(value: Any) -> None:
    with pytest.raises(WiringError, match="stands above a function or a class"):
        stage(value)


@sink
def yields(item: int) -> Any:
    yield item


@stage(threads=2)
async def fetches(item: int) -> int:
    return item


@stage(concurrency=2)
def computes(item: int) -> int:
    return item


@source
def asks(item: int) -> Any:
    yield item


@pytest.mark.parametrize(
    ("node", "sentence"),
    [
        (yields, "'yields' is a sink, but yields"),
        (fetches, "'fetches' is async, and threads= is for plain code; say concurrency=2"),
        (computes, "'computes' is plain code, and concurrency= is for async code; say threads=2"),
        (asks, "'asks' is a source and makes items, but asks for 'item'"),
        (stage(lambda item: item), "a lambda has no name"),
    ],
)
def test_code_that_cannot_run_is_refused_where_it_is_defined(node: Any, sentence: str) -> None:
    with pytest.raises(WiringError, match=sentence) as caught:
        node.plan()
    assert caught.value.where == node.where
