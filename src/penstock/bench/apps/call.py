"""One caller, and one replica of a service that gives back what it gets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from penstock import Pipeline, service, sink, source
from penstock.bench.asking import clock
from penstock.bench.trial import Trial

trial = Trial.here()


@service
def echo(message: Any) -> Any:
    """The same."""
    return message


@source
def ask() -> Iterator[int]:
    """Call, one call after the other."""
    clock(trial, echo.call)
    yield trial.samples


@sink
def done(samples: int) -> None:
    """A pipeline has a sink."""


pipeline = Pipeline("bench-call", ask >> done, echo)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
