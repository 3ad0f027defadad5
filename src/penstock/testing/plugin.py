"""What pytest finds where Penstock is installed: the fixture ``running`` and the marker ``penstock``.

pytest imports this file at every start, also for people who test something else: nothing of ours is
imported until the fixture is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from penstock.pipeline.pipeline import Pipeline
    from penstock.testing.running import Running

TIMEOUT = "30s"


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known: ``--strict-markers`` refuses others."""
    config.addinivalue_line(
        "markers", f'penstock(timeout="{TIMEOUT}"): how long each wait of the fixture `running` may take'
    )


@pytest.fixture
def running(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Start pipelines in real processes that end with the test.

    As ``run = running(app.pipeline)``. It takes what ``Pipeline.running`` takes. Logs and dead letters
    are kept in the test's ``tmp_path``, which pytest leaves there when the test has failed.
    """
    with ExitStack() as stack:
        started: list[Running] = []

        def start(pipeline: Pipeline, **options: Any) -> Running:
            state = tmp_path / f"{pipeline.name}-{len(started)}"
            options = {"timeout": _timeout(request), "state_dir": state, **options}
            started.append(stack.enter_context(pipeline.running(**options)))
            return started[-1]

        yield start


def _timeout(request: pytest.FixtureRequest) -> Any:
    """What the nearest marker says.

    Raises:
        TypeError: the marker says something else.
    """
    marker = request.node.get_closest_marker("penstock")
    if marker is None:
        return TIMEOUT
    if marker.args or set(marker.kwargs) != {"timeout"}:
        raise TypeError(f'@pytest.mark.penstock takes one thing, timeout="{TIMEOUT}"')
    return marker.kwargs["timeout"]
