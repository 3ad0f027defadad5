from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import WiringError
from penstock.pipeline.checks import CHECKS
from penstock.pipeline.knobs import Knobs
from penstock.pipeline.options import Options
from penstock.pipeline.place import Place
from penstock.pipeline.plan import How
from penstock.pipeline.reference import Reference

HERE = Place("/project/app.py", 12)


def chosen(kind: How = "stage", **knobs: Any) -> Options:
    return Options().with_knobs(kind, knobs, HERE)


def test_every_knob_that_is_typed_is_checked_and_kept() -> None:
    others = ["external", "queue", "places"]
    assert [*Knobs.__annotations__, *others] == [*CHECKS, *others] == list(Options.__struct_fields__)


def test_times_are_kept_in_seconds() -> None:
    options = chosen(timeout="250ms", start_timeout="2m")
    assert (options.timeout, options.start_timeout) == (0.25, 120.0)


def test_where_each_knob_was_chosen_last_is_kept() -> None:
    there = Place("/project/app.py", 20)
    options = chosen(replicas=2, window=8).with_knobs("stage", {"replicas": 3}, there)
    assert options.places == {"replicas": there, "window": HERE}


def test_a_limit_can_be_lifted_again() -> None:
    assert chosen(timeout="1s").with_knobs("stage", {"timeout": None}, HERE).timeout is None


def test_choosing_again_leaves_the_other_knobs_and_the_first_options_alone() -> None:
    first = chosen(replicas=2, window=8)
    second = first.with_knobs("stage", {"replicas": 3}, HERE)
    assert (first.replicas, second.replicas, second.window) == (2, 3, 8)


def test_a_relative_interpreter_is_seen_from_the_file_and_its_links_are_kept(tmp_path: Path) -> None:
    python = tmp_path / "env" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to("/usr/bin/env")
    options = Options().with_knobs("stage", {"interpreter": "env/bin/python"}, Place(f"{tmp_path}/app.py", 1))
    assert options.interpreter == str(python)


def test_a_bare_interpreter_is_looked_for_on_the_path_later() -> None:
    assert chosen(interpreter="python3.9").interpreter == "python3.9"


@pytest.mark.parametrize(
    ("knob", "value", "sentence"),
    [
        ("replicas", 0, "must be a whole number, 1 or more"),
        ("replicas", True, "must be a whole number"),
        ("replicas", 1.5, "must be a whole number"),
        ("replicas", 1001, "1000 are the most"),
        ("window", 0, "1 or more"),
        ("max_failures", -1, "0 or more"),
        ("on_full", "drop_old", "there is no such choice; did you mean 'drop_oldest'"),
        ("on_full", None, "there is no such choice; there is 'block', 'drop_newest', 'drop_oldest'"),
        ("compress", "gzip", "there is no such way to compress; there is 'auto', 'lz4', 'zstd'"),
        ("batch", 0, "1 or more"),
        ("batch", 5000, "4096 items are the most"),
        ("concurrency", 0, "1 or more"),
        ("concurrency", 5000, "4096 items in hand are the most"),
        ("threads", 300, "256 threads are the most; `replicas` are not slowed down by the GIL"),
        ("batch_wait", "2m", "must be 60 seconds at most"),
        ("batch_wait", 5, "5 is not a time"),
        ("pad", "0", "must be a number"),
        ("max_age", 0.5, "did you mean '0.5s'"),
        ("max_age", "0s", "must be more than no time"),
        ("timeout", 30, "did you mean '30s'"),
        ("timeout", "0s", "must be more than no time"),
        ("start_timeout", None, "with a unit"),
        ("interpreter", 3.9, "must be the path of a Python interpreter"),
        ("interpreter", "", "must be the path"),
        ("variables", ["A=1"], "must be a mapping"),
        ("variables", {"OMP_NUM_THREADS": 1}, 'must be text; write "1"'),
        ("variables", {"A=B": "1"}, "cannot be the name"),
        ("ports", "rejected", r'write ports=\("rejected",\)'),
        ("ports", ("a", "a"), "named twice"),
        ("ports", (1,), "a tuple of names"),
        ("key", "", "must be a function at the top level of a module, or the key"),
        ("key", "{", "is no format, but the key or the attribute"),
        ("key", "{user}", "is no format, but the key or the attribute"),
        ("key", 3, "must be a function at the top level of a module, or the key"),
        ("key", lambda item: item, "a lambda has no name"),
        ("ordered", 1, "must be True or False"),
        ("name", "a/b", "letters, digits"),
        ("name", "", "letters, digits"),
        ("name", "-x", "letters, digits"),
    ],
)
def test_a_value_that_is_not_possible_is_refused_where_it_is_written(
    knob: str, value: Any, sentence: str
) -> None:
    with pytest.raises(WiringError, match=f"^/project/app.py:12: {knob}=.*{sentence}") as caught:
        chosen(**{knob: value})
    assert caught.value.where == "/project/app.py:12"


@pytest.mark.parametrize(
    ("knob", "meant"),
    [
        ("partition_by", "key"),
        ("replica", "replicas"),
        ("time_out", "timeout"),
        ("workers", "replicas"),
        ("max_concurrency", "concurrency"),
        ("max_threads", "threads"),
        ("in_order", "ordered"),
        ("retries", "max_failures"),
        ("backpressure", "on_full"),
        ("ttl", "max_age"),
    ],
)
def test_an_unknown_knob_is_answered_with_the_one_that_is_meant(knob: Any, meant: str) -> None:
    with pytest.raises(WiringError, match=f"no knob '{knob}'; did you mean '{meant}'"):
        Options().with_knobs("stage", {knob: 1}, HERE)


@pytest.mark.parametrize("knob", ["window", "timeout", "max_failures", "max_age", "on_full", "key"])
def test_a_source_has_no_knobs_about_items_it_gets(knob: str) -> None:
    with pytest.raises(WiringError, match="a source gets no items"):
        chosen("source", **{knob: 1})


@pytest.mark.parametrize(("knob", "value"), [("replicas", 2), ("key", "user"), ("max_age", "1s")])
def test_what_does_not_go_with_an_order_is_refused_with_the_reason(knob: str, value: Any) -> None:
    with pytest.raises(WiringError, match=f"^/project/app.py:12: {knob}= does not go with ordered=True: "):
        chosen(ordered=True).with_knobs("stage", {knob: value}, HERE)
    with pytest.raises(WiringError, match=f"{knob}= does not go with ordered=True: "):
        chosen(**{knob: value}).with_knobs("stage", {"ordered": True}, HERE)


def owner(item: dict[str, str]) -> str:
    """Whose it is."""
    return item["owner"]


def test_a_key_is_kept_as_a_name_or_as_a_reference() -> None:
    assert chosen(key="user").key == "user"
    found = chosen(key=owner).key
    assert isinstance(found, Reference) and found.name == "owner"
    assert chosen(key="user").with_knobs("stage", {"key": None}, HERE).key is None


def test_a_sink_has_no_ports() -> None:
    with pytest.raises(WiringError, match="nothing comes out of a sink"):
        chosen("sink", ports=("rejected",))


@given(
    st.sampled_from(list(CHECKS)), st.none() | st.booleans() | st.floats() | st.text() | st.lists(st.text())
)
def test_whatever_is_written_is_either_kept_or_refused_in_one_sentence(knob: str, value: Any) -> None:
    refusal = ""
    try:
        chosen(**{knob: value})
    except WiringError as error:
        refusal = str(error)
    assert refusal.startswith("/project/app.py:12: ") or not refusal


@pytest.mark.parametrize(
    ("knobs", "sentence"),
    [
        ({"batch_wait": "5ms"}, r"^/project/app.py:12: batch_wait= is about batches.*say batch=32 as well"),
        ({"pad": 0}, r"pad= is about batches"),
        ({"batch": 32, "window": 31}, r"a batch of 32 could never be full; .* say window=64 or more"),
    ],
)
def test_knobs_that_do_not_go_together_are_refused(knobs: dict[str, Any], sentence: str) -> None:
    with pytest.raises(WiringError, match=sentence):
        chosen(**knobs)


def test_knobs_of_a_batch_can_be_chosen_anew_once_there_is_one() -> None:
    options = chosen(batch=32).with_knobs("stage", {"batch_wait": "0s", "pad": -1, "window": 32}, HERE)
    assert (options.batch, options.batch_wait, options.pad, options.window) == (32, 0.0, -1, 32)


def test_an_environment_and_an_interpreter_displace_each_other_and_do_not_go_together() -> None:
    by_name = Options().with_knobs("stage", {"env": "torch"}, HERE)
    by_path = by_name.with_knobs("stage", {"interpreter": "/opt/python"}, HERE)
    assert (by_path.env, by_path.interpreter) == (None, "/opt/python")
    again = by_path.with_knobs("stage", {"env": "torch"}, HERE)
    assert (again.env, again.interpreter) == ("torch", None)
    with pytest.raises(WiringError, match=r"env= and interpreter= both say which Python runs it"):
        Options().with_knobs("stage", {"env": "torch", "interpreter": "/opt/python"}, HERE)
    with pytest.raises(WiringError, match=r"env='a/b': a name is made of"):
        Options().with_knobs("stage", {"env": "a/b"}, HERE)
