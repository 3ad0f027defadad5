"""What an agent waits for, and what not."""

from __future__ import annotations

import asyncio
import threading

import pytest

from penstock.errors import BuildFailed
from penstock.runtime.agent.agent import _aside


def test_nobody_who_leaves_waits_for_an_environment_that_is_being_built() -> None:
    built = threading.Event()

    async def leave() -> None:
        building = asyncio.ensure_future(_aside(built.wait))
        await asyncio.sleep(0)
        building.cancel()

    try:
        asyncio.run(leave())  # else it would be here for ever
        assert not built.is_set()
    finally:
        built.set()


def test_what_went_wrong_while_it_was_built_is_told() -> None:
    def build() -> None:
        raise BuildFailed("no such package")

    with pytest.raises(BuildFailed, match="no such package"):
        asyncio.run(_aside(build))
