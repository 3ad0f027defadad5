"""A stage whose setup never comes back.

count -> Stuck
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from penstock import Pipeline, sink, source


@source
def count() -> Iterator[int]:
    """0, 1, 2 ..."""
    yield from range(1000)


@sink(start_timeout="2s")
class Stuck:
    """Waits in its setup."""

    def setup(self) -> None:
        """For ever."""
        print("waiting for a licence that nobody will give")
        time.sleep(3600)

    def __call__(self, number: int) -> None:
        """Never called."""


pipeline = Pipeline("stuck", count >> Stuck)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
