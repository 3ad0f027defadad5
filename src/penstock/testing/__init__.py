"""What people test their pipelines with: the whole graph in this process, or real processes to be broken.

``pipeline.test([items])`` runs the real workers in memory with a clock that is put forward by hand, and
answers with a ``Result``. ``pipeline.running()`` starts the real thing.
"""

from __future__ import annotations

from penstock.testing.result import Dead, Delivery, Result

__all__ = ["Dead", "Delivery", "Result"]
