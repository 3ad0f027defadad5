"""Workers to play with."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.unit.link.wire import Receiving, Sending
from tests.unit.runtime.worker.desk import IN, OUT, WorkerProcess


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="pt-") as path:
        yield Path(path)


@pytest.fixture
def source(folder: Path) -> Iterator[Callable[..., WorkerProcess]]:
    """`source(code)`: a worker that runs ``run`` of ``code`` as a source."""
    with ExitStack() as stack:
        yield lambda code, outlets=OUT, **more: stack.enter_context(
            closing(WorkerProcess(folder, code, kind="source", outlets=outlets, inlinks=[], **more))
        )


@pytest.fixture
def sink(folder: Path) -> Iterator[Callable[..., WorkerProcess]]:
    """`sink(code)`: a worker that runs ``run`` of ``code`` as a sink."""
    with ExitStack() as stack:
        yield lambda code, **more: stack.enter_context(
            closing(WorkerProcess(folder, code, kind="sink", outlets=[], inlinks=IN, **more))
        )


@pytest.fixture
def stage(folder: Path) -> Iterator[Callable[..., WorkerProcess]]:
    """`stage(code)`: a worker that runs ``run`` of ``code`` as a stage."""
    with ExitStack() as stack:
        yield lambda code, **more: stack.enter_context(
            closing(WorkerProcess(folder, code, kind="stage", outlets=OUT, inlinks=IN, **more))
        )


@pytest.fixture
def sending(folder: Path) -> Iterator[Sending]:
    """Another worker's sender, as number 2."""
    with closing(Sending(str(folder), number=2)) as sending:
        yield sending


@pytest.fixture
def receiving() -> Iterator[Callable[..., Receiving]]:
    """`receiving(number)`: another worker's receiver."""
    with ExitStack() as stack:
        yield lambda number, **how: stack.enter_context(closing(Receiving(number, **how)))
