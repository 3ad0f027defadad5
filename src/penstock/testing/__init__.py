"""What people test their pipelines with: the whole graph in this process, or real processes to be broken.

``pipeline.test([items])`` runs the real workers in memory with a clock that is put forward by hand, and
answers with a ``Result``. ``pipeline.running()`` starts the real thing, a ``Running``. ``jobs()`` runs jobs
in this process, as soon as they are submitted.

Names are imported when they are first asked for: pytest imports ``plugin`` at every start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock.testing.inline import InlineJobs, jobs
    from penstock.testing.result import Dead, Delivery, Result
    from penstock.testing.running import Running

__all__ = ["Dead", "Delivery", "InlineJobs", "Result", "Running", "jobs"]

_HOMES = {
    "Dead": "penstock.testing.result",
    "Delivery": "penstock.testing.result",
    "InlineJobs": "penstock.testing.inline",
    "Result": "penstock.testing.result",
    "Running": "penstock.testing.running",
    "jobs": "penstock.testing.inline",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(home), name)
