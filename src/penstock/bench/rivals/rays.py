"""The peer of calls: an actor of Ray that gives back what it gets."""

from __future__ import annotations

import os
from typing import Any

from penstock.bench.asking import clock
from penstock.bench.trial import Trial


class Echo:
    """The actor."""

    def call(self, message: Any) -> Any:
        """The same."""
        return message


def main(role: str) -> None:
    """Call it, one call after the other; ``role`` is ``call``."""
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")  # else it leaves a token in the home directory
    import ray

    trial = Trial.here()
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, _temp_dir=trial.path("ray"))
    echo = ray.remote(Echo).remote()
    clock(trial, lambda message: ray.get(echo.call.remote(message)))
    ray.shutdown()
