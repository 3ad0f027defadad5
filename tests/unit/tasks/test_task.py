# mypy: disable-error-code="attr-defined, unused-awaitable"
# mypy leaves the type of a decorated class as it was; `Infer` is a Task.
from __future__ import annotations

import datetime
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from penstock import Context, Task, UnsupportedType, UserError, WiringError, task
from penstock.tasks.freight import unpacked
from penstock.tasks.handle import Job
from penstock.tasks.local import LocalDesk


@task(group="gpu", timeout="2h", unique="{model}", priority=2)
def train(ctx: Context, model: str, epochs: int = 10, *, rate: float = 0.1) -> dict[str, Any]:
    """Train."""
    return {"model": model, "epochs": epochs}


@task
async def fetch(url: str, delay: str = "") -> int:
    return len(url)


@task(unique=True)
def total(numbers: dict[str, int], flags: set[str]) -> int:
    return sum(numbers.values())


@task(unique=lambda path, **_: path.lower())
def index(path: str, depth: int = 1) -> None: ...


@task
class Infer:
    def __call__(self, text: str) -> str:
        return text.upper()


def arguments(jobs: LocalDesk, job: Job[Any]) -> Any:
    with jobs.store() as store:
        return unpacked(store.arguments(job.id) or b"")


# ------------------------------------------------------------------------------------ it stays what it was


def test_calling_a_task_is_a_plain_call() -> None:
    assert train(Context(), "vgg", 3) == {"model": "vgg", "epochs": 3}
    assert Infer()("a") == "A"


def test_it_keeps_the_docstring_and_the_signature_of_its_function() -> None:
    assert train.__doc__ == "Train."
    assert list(inspect.signature(train).parameters) == ["ctx", "model", "epochs", "rate"]


def test_bare_it_belongs_to_the_default_group_and_has_the_name_of_its_function() -> None:
    assert (fetch.name, fetch.group) == ("fetch", "default")
    assert (Infer.name, Infer.reference.name) == ("Infer", "Infer")


def test_it_knows_where_it_is_written() -> None:
    assert re.search(r"test_task\.py:\d+$", train.where)
    assert (train.reference.module, train.reference.name) == (__name__, "train")


def test_code_elsewhere_is_named_by_a_string_and_not_imported(tmp_path: Path, jobs: LocalDesk) -> None:
    (tmp_path / "heavy.py").write_text("import not_installed_here\ndef run(path): ...\n")
    heavy = task(f"{tmp_path}/heavy.py:run", group="gpu")
    job = heavy.submit("a", depth=2)
    assert (heavy.name, arguments(jobs, job)) == ("run", [["a"], {"depth": 2}])
    with pytest.raises(WiringError, match="not loaded here"):
        heavy("a")


# ---------------------------------------------------------------------------------- what is refused at once


@pytest.mark.parametrize(
    ("knobs", "sentence"),
    [
        ({"timeout": 30}, r"timeout=30: 30 is not a time; .* did you mean '30s'"),
        ({"timout": "30s"}, "there is no knob 'timout'; did you mean 'timeout'"),
        ({"queue": "gpu"}, "there is no knob 'queue'; did you mean 'group'"),
        ({"max_retries": 3}, "did you mean 'max_failures'"),
        ({"python": "torch"}, r"interpreter is not a task's but its group's: .* \[group.NAME\]"),
        ({"delay": "10m"}, r"train.options\(delay=...\)"),
        ({"group": "a b"}, "group='a b': a name is made of"),
        ({"retry_on": ["tiemout"]}, "there is no cause 'tiemout'; did you mean 'timeout'"),
        ({"retry_on": [3]}, "say classes of exceptions"),
        ({"gpus": -1}, "must be a whole number, 0 or more"),
        ({"isolate": 1}, "must be True or False"),
        ({"priority": "high"}, "must be a whole number; higher ones are first"),
        ({"unique": 3}, "must be True, a format"),
        ({"every": "100ms"}, "must be a second or more"),
        ({"cron": "0 3 * *"}, "must be text with five fields"),
        ({"cron": "0 3 * * *", "every": "1h"}, "say one of them"),
        ({"timezone": "Europe/Paris"}, "there is no cron="),
        ({"crontab": "0 3 * * *"}, "did you mean 'cron'"),
    ],
)
def test_a_wrong_knob_is_refused_with_its_line_and_what_was_meant(
    knobs: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(WiringError, match=rf"test_task\.py:\d+: .*{sentence}"):
        task(**knobs)


def test_a_task_that_is_called_by_itself_needs_no_arguments() -> None:
    with pytest.raises(WiringError, match=r"'report' has a schedule, .* missing a required argument: 'day'"):

        @task(every="1d")
        def report(day: str) -> None: ...


def test_a_format_that_names_no_argument_is_refused() -> None:
    with pytest.raises(WiringError, match="there is no argument 'modle'; did you mean 'model'"):
        train.options(unique="{modle}")
    with pytest.raises(WiringError, match=r"is the same for all arguments; name some, like '\{model\}'"):
        train.options(unique="nightly")


def test_a_generator_is_refused() -> None:
    def count(to: int) -> Any:
        yield to

    with pytest.raises(WiringError, match="'count' yields, and a job has one result"):
        task(count)


def test_a_class_that_cannot_be_made_or_called_is_refused() -> None:
    class Needy:
        def __init__(self, size: int) -> None: ...
        def __call__(self) -> None: ...

    with pytest.raises(WiringError, match=r"needs 'size' to be made"):
        task(Needy)
    with pytest.raises(WiringError, match="has no __call__"):
        task(type("Mute", (), {}))


@pytest.mark.parametrize(
    ("args", "kwargs", "sentence"),
    [
        ((), {}, "missing a required argument: 'model'"),
        (("vgg",), {"epoch": 3}, "unexpected keyword argument 'epoch'; did you mean 'epochs'"),
        ((3,), {}, "model=3 is not a str"),
        (("vgg", "ten"), {}, "epochs='ten' is not an int"),
        (("vgg",), {"ctx": None}, "unexpected keyword argument 'ctx'"),
    ],
)
def test_wrong_arguments_are_an_error_to_who_submits(
    args: Any, kwargs: Any, sentence: str, jobs: LocalDesk
) -> None:
    with pytest.raises(UserError, match=rf"test_task\.py:\d+: train: .*{sentence}.*it takes \(model: str, "):
        train.submit(*args, **kwargs)
    with jobs.store() as store:
        assert store.jobs() == []


def test_what_is_not_plainly_wrong_is_left_to_the_code(jobs: LocalDesk) -> None:
    numpy = pytest.importorskip("numpy")
    job = train.submit("vgg", numpy.int64(3), rate=1)
    assert arguments(jobs, job) == [[], {"model": "vgg", "epochs": 3, "rate": 1}]


def test_an_argument_that_cannot_travel_is_an_error_to_who_submits(jobs: LocalDesk) -> None:
    with pytest.raises(UnsupportedType, match="object cannot travel") as caught:
        fetch.submit(object())  # type: ignore[arg-type]
    assert "pickle" not in str(caught.value), "no pipeline is there to allow it"


def test_what_no_worker_could_import_cannot_be_submitted(jobs: LocalDesk) -> None:
    @task
    def local() -> None: ...

    with pytest.raises(WiringError, match=r"test_task\.py:\d+: 'local' is defined inside"):
        local.submit()


# ------------------------------------------------------------------------------------------ what is on disk


def test_a_submitted_call_is_on_disk_as_its_task_says(jobs: LocalDesk) -> None:
    row = train.submit("vgg", epochs=2).row
    assert (row.group, row.task, row.state, row.priority) == ("gpu", "train", "ready", 2)
    assert (row.rules.timeout, row.rules.max_failures) == (7200.0, 3)


def test_arguments_are_copied_when_they_are_handed_over(jobs: LocalDesk) -> None:
    numbers = {"a": 1}
    job = total.submit(numbers, set())
    numbers["a"] = 2
    assert arguments(jobs, job) == [[], {"numbers": {"a": 1}, "flags": set()}]


def test_arguments_of_any_size_and_arrays_are_handed_over(jobs: LocalDesk) -> None:
    numpy = pytest.importorskip("numpy")
    job = fetch.options().submit("x" * 3_000_000)
    assert arguments(jobs, job) == [[], {"url": "x" * 3_000_000}]
    with_array = total.submit(numpy.arange(100_000), set())
    assert arguments(jobs, with_array)[1]["numbers"].sum() == 4999950000


def test_options_are_for_what_is_submitted_by_them_alone(jobs: LocalDesk) -> None:
    assert train.options(priority=9, timeout="1m").submit("a").row.priority == 9
    assert train.submit("b").row.priority == 2


def test_a_parameter_of_the_function_is_never_taken_for_an_option(jobs: LocalDesk) -> None:
    job = fetch.submit("x", delay="10m")
    assert (job.state, arguments(jobs, job)) == ("ready", [[], {"url": "x", "delay": "10m"}])


def test_a_delay_and_a_time_say_when_a_job_may_be_begun(jobs: LocalDesk) -> None:
    row = fetch.options(delay="10m").submit("x").row
    assert row.state == "scheduled"
    assert 599_000 < row.run_at - row.submitted_at <= 600_000
    at = datetime.datetime(2099, 1, 1, tzinfo=datetime.UTC)
    assert fetch.options(at=at).submit("x").row.run_at == 4070908800000
    with pytest.raises(WiringError, match="say one of them"):
        fetch.options(at=at, delay="10m")


def test_many_are_handed_over_at_once(jobs: LocalDesk) -> None:
    submitted = fetch.submit_many(fetch.call(f"page {number}") for number in range(5))
    assert [arguments(jobs, job)[1]["url"] for job in submitted] == [f"page {number}" for number in range(5)]
    assert len(fetch.submit_many([])) == 0


def test_many_are_of_one_task(jobs: LocalDesk) -> None:
    with pytest.raises(UserError, match=r"test_task\.py:\d+: fetch.submit_many takes no calls of train"):
        fetch.submit_many([train.call("vgg")])


# ------------------------------------------------------------------------------------------------- unique


def test_a_second_job_with_the_same_key_is_the_first(jobs: LocalDesk) -> None:
    first = train.submit("vgg", epochs=1)
    assert train.submit("vgg", epochs=2) == first
    assert train.submit("resnet") != first


def test_by_all_arguments_means_however_they_are_passed_and_ordered(jobs: LocalDesk) -> None:
    first = total.submit({"a": 1, "b": 2}, {"x", "y"})
    assert total.submit(flags={"y", "x"}, numbers={"b": 2, "a": 1}) == first
    assert total.submit({"a": 1, "b": 3}, {"x", "y"}) != first


def test_by_a_function_means_what_it_gives(jobs: LocalDesk) -> None:
    assert index.submit("A") == index.submit("a", depth=2)


def test_a_key_of_any_length_is_one_that_travels(jobs: LocalDesk) -> None:
    first = fetch.options(unique="{url}").submit("x" * 3000)
    assert fetch.options(unique="{url}").submit("x" * 3000).id == first.id
    assert fetch.options(unique="{url}").submit("x" * 2999 + "y").id != first.id
    with jobs.store() as store:
        assert all(len(key) < 300 for (key,) in store.db.execute("SELECT unique_key FROM job"))


def test_the_key_of_a_set_is_the_same_in_every_process(jobs: LocalDesk, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "from penstock import task\n"
        "@task(unique=True)\n"
        "def find(words): ...\n"
        "if __name__ == '__main__':\n"
        "    print(find.submit({'one', 'two', 'three', 'four'}).id)\n"
    )
    command = [sys.executable, f"{tmp_path}/app.py"]
    ids = {subprocess.check_output(command, text=True, timeout=60) for _ in range(3)}
    assert len(ids) == 1


def test_a_key_that_cannot_be_made_is_an_error_to_who_submits(jobs: LocalDesk) -> None:
    with pytest.raises(UserError, match="unique= of fetch failed on these arguments: AttributeError"):
        fetch.options(unique=lambda url, **_: url.nothing).submit("x")


def test_it_shows_what_it_is() -> None:
    assert repr(train) == "<task train train>"
    assert repr(train.call("vgg", epochs=2)) == "<call train(model='vgg', epochs=2)>"
    assert isinstance(train, Task)
