from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import UserError
from penstock.rabbitmq.letters import FURTHEST, TYPE, Letter, Unreadable, opened, sealed
from penstock.rabbitmq.message import Message
from penstock.rabbitmq.topology import MOST_BODY
from penstock.tasks.job import NewJob, Rules, new_id

names = st.text("abcxyz_-0189", min_size=1, max_size=20)
texts = st.text(max_size=200)
counts = st.integers(0, FURTHEST)
rules = st.builds(
    Rules,
    max_failures=st.integers(0, 100),
    timeout=st.none() | st.floats(0, 1e9),
    backoff=st.floats(0, 1e6),
    retry_on=st.lists(names, max_size=3),
    isolate=st.booleans(),
)
jobs = st.builds(
    NewJob,
    group=names,
    task=names,
    args=st.binary(max_size=200),
    id=st.builds(new_id),
    priority=st.integers(-(2**31), 2**31),
    run_at=counts,
    unique=texts,
    rules=rules,
    by=texts,
)
letters = st.builds(
    Letter,
    jobs,
    submitted_at=counts,
    after=counts,
    failures=counts,
    preemptions=counts,
    due=counts,
    resume_uri=texts,
    resume_step=counts,
)


@pytest.mark.parametrize(
    ("letter", "why"),
    [
        (
            Letter(NewJob("g", "t", b"", unique="x" * 1025), 0),
            "t: 1,025 letters are too many for a unique key",
        ),
        (
            Letter(NewJob("g", "t" * 2000, b""), 0),
            "^t{80}: 2,000 letters are too many for the name of a task",
        ),
        (Letter(NewJob("g", "t", b"", by="x" * 1025), 0), "who submits it"),
        (Letter(NewJob("g", "t", b""), 0, resume_uri="x" * 1025), "checkpoint"),
    ],
)
def test_what_would_not_be_opened_is_not_sealed(letter: Letter, why: str) -> None:
    with pytest.raises(UserError, match=why):
        sealed(letter)


@given(letters, st.sampled_from(["", "later.", "r10s.", "r0."]))
def test_what_is_sealed_is_opened_as_it_was(letter: Letter, rung: str) -> None:
    assert opened(sealed(letter), f"{rung}{letter.job.group}") == letter


@given(
    letters, st.dictionaries(st.sampled_from(["x-death", "x-delivery-count", "x-first-death-queue"]), texts)
)
def test_what_a_broker_has_added_never_gets_into_a_copy(letter: Letter, added: dict[str, str]) -> None:
    came = sealed(letter)
    came = msgspec.structs.replace(came, headers={**came.headers, **added})
    copy = sealed(opened(came, "r1s.g"))
    assert all(name.startswith("ps-") for name in copy.headers)


anything: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
HEADERS = [
    f"ps-{name}"
    for name in ("task", "rules", "by", "unique", "priority", "submitted", "run-at", "after", "attempt")
] + ["ps-preempted", "ps-due", "ps-resume", "ps-step"]


@given(
    st.dictionaries(st.sampled_from(HEADERS), anything),
    st.binary(max_size=50),
    anything,
    st.just(TYPE) | anything,
)
def test_whatever_comes_is_a_job_or_is_refused_in_a_sentence(
    headers: dict[str, Any], body: bytes, id: Any, kind: Any
) -> None:
    for each in (id, new_id()):
        with suppress(Unreadable):
            letter = opened(Message(body=body, id=each, type=kind, headers=headers), "g")
            assert opened(sealed(letter), "g") == letter


@pytest.mark.parametrize(
    "id", ["", "../../etc/passwd", "0" * 36, "g" * 8 + "-0000-0000-0000-000000000000", None]
)
def test_an_id_that_could_be_a_path_is_no_id(id: Any) -> None:
    with pytest.raises(Unreadable, match="its message_id is no id"):
        opened(Message(id=id, type=TYPE, headers={"ps-task": "t"}), "g")


def test_arguments_that_are_too_large_for_a_message_are_refused() -> None:
    job = NewJob(group="g", task="train", args=b"x" * (MOST_BODY + 1))
    with pytest.raises(UserError, match=r"train: 1,000,001 bytes of arguments are too many for a broker"):
        sealed(Letter(job, 0))


def test_what_is_too_large_for_a_message_is_a_file_of_that_job_alone() -> None:
    job = NewJob(group="g", task="train", args=b"")
    called = f"{'0' * 32}/{job.id}.args"
    message = sealed(Letter(msgspec.structs.replace(job, file=called), 0))
    assert opened(message, "g").job.file == called
    for strange in (f"{'0' * 32}/{new_id()}.args", f"../{job.id}.args", "/etc/passwd", f"{called}\n"):
        wrong = msgspec.structs.replace(message, headers={**message.headers, "ps-file": strange})
        with pytest.raises(Unreadable, match=r"its header ps-file: .* is no file of the job"):
            opened(wrong, "g")


def test_rules_that_are_nested_without_end_are_refused() -> None:
    message = sealed(Letter(NewJob("g", "t", b""), 0))
    nested = '{"x":' + "[" * 60_000 + "]" * 60_000 + "}"
    wrong = msgspec.structs.replace(message, headers={**message.headers, "ps-rules": nested})
    with pytest.raises(Unreadable, match="ps-rules"):
        opened(wrong, "g")
