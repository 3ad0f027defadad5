"""Stages to be configured."""

from __future__ import annotations

from collections.abc import Iterator

from penstock import sink, source, stage


@source
def camera() -> Iterator[int]:
    yield 1


@stage(timeout="5s", max_failures=3, variables={"LEVEL": "info", "MODE": "fast"})
def detect(number: int) -> int:
    return number


@sink(name="save-all")
def save(number: int) -> None: ...
