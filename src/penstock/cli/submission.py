"""``penstock tasks submit``: what is on the command line, made a job."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, get_args

import msgspec

from penstock.cli import appfile, jobstore
from penstock.config.entry import Said, value_of
from penstock.errors import UserError
from penstock.tasks.desk import Desk
from penstock.tasks.handle import Job
from penstock.tasks.job import NewJob
from penstock.tasks.options import SUBMITTED, Options
from penstock.tasks.script import script

CODE = re.compile(r".+\.py:\w+")
COMMAND_LINE = Said("the command line", 0)


def submitted(
    words: Sequence[str],
    *,
    group: str | None,
    args: Sequence[str],
    env: Sequence[str],
    knobs: Mapping[str, Any],
    unique: str = "",
) -> Job[Any]:
    """The job that these words mean.

    Args:
        words: ``app.py:train``, or a command line.
        group: Of a command line.
        args: Arguments of a task: ``model=resnet50``.
        env: Variables for a command line: ``SEED=1``.
        knobs: What ``options`` takes.
        unique: While a job with this key is live, that one is meant.

    Raises:
        UserError: they mean none.
    """
    if not words:
        raise UserError("say what to submit: app.py:train, or --group NAME -- and a command line")
    if len(words) == 1 and CODE.fullmatch(words[0]):
        if group or env:
            raise UserError("--group and --env are for command lines; a task says its group itself")
        return _call(words[0], args, knobs, unique)
    if args:
        raise UserError(f"--arg is for a task like app.py:train, and {' '.join(words)!r} is a command line")
    return _command_line(words, group, env, knobs, unique)


def _call(spec: str, args: Sequence[str], knobs: Mapping[str, Any], unique: str) -> Job[Any]:
    task = appfile.task(spec)
    form = task.form
    named = {name: _value(text, form.type_of(name) if form else Any) for name, text in _pairs(args, "--arg")}
    chosen = task.with_knobs(knobs, COMMAND_LINE)
    desk, arguments = chosen.desk(), chosen.bound((), named, COMMAND_LINE)
    (id,) = desk.submit([_keyed(chosen.job(arguments, desk.now()), unique)])
    return chosen.handle(id, desk)


def _keyed(job: NewJob, unique: str) -> NewJob:
    return msgspec.structs.replace(job, unique=f"{job.task}:{unique}") if unique else job


def _command_line(
    words: Sequence[str], group: str | None, env: Sequence[str], knobs: Mapping[str, Any], unique: str
) -> Job[Any]:
    if group is None:
        raise UserError(f"say which group is to run {' '.join(words)!r}: --group NAME")
    if len(words) == 1 and words[0].endswith(".py"):
        raise UserError(f"{words[0]} is no command; say {words[0]}:TASK, or -- python {words[0]}")
    desk = jobstore.here()
    options = Options().with_knobs(knobs, COMMAND_LINE, SUBMITTED)
    job = script(
        jobstore.group(group),
        words,
        cwd=os.getcwd(),
        env=dict(_pairs(env, "--env")),
        priority=options.priority,
        run_at=options.run_at(desk.now()),
        rules=options.rules,
    )
    (id,) = desk.submit([_keyed(job, unique)])
    return Job(id, desk)


def amended(desk: Desk, ids: Sequence[str], args: Sequence[str]) -> list[str]:
    """Put these jobs back with some arguments changed; the ids of those that were.

    Raises:
        UserError: one is a command line.
    """
    pairs = _pairs(args, "--arg")
    return [id for id in ids if Job(id, desk).retry(**{name: value_of(text) for name, text in pairs})]


def _pairs(texts: Sequence[str], option: str) -> list[tuple[str, str]]:
    for text in texts:
        if "=" not in text or text.startswith("="):
            raise UserError(f"{option} {text}: write NAME=VALUE")
    return [(text.partition("=")[0], text.partition("=")[2]) for text in texts]


def _value(text: str, annotation: Any) -> Any:
    """Text stays text where the annotation says so; else it is what it is in TOML, or text."""
    if annotation is str or (str in get_args(annotation) and value_of(text) != text):
        return text
    return value_of(text)
