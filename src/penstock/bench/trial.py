"""A trial: what the processes of one measured run are told, whether pipeline or peer.

It travels as JSON in one environment variable, because that is what a supervisor hands on to its
workers and what a plain script can read as well.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Self

VARIABLE = "PENSTOCK_BENCH_TRIAL"

FAN = 4
"""Sinks of a fan-out: each gets every array."""


@dataclass(frozen=True)  # all by keyword; Python 3.9, on which some stages run, cannot be told so
class Trial:
    """One run of one contender. The defaults let an app be tried by hand: ``python stream.py``."""

    directory: str = "."
    """Where the run leaves its reading (and its peers their sockets)."""
    warm: float = 0.5
    """Seconds after the first item during which nothing is counted."""
    seconds: float = 3.0
    """How long is counted after that."""
    shape: tuple[int, ...] = (32, 3, 224, 224)
    """Of the arrays; float32."""
    style: str = ""
    """The variant of an app or a peer, for example ``copy`` or ``in place``."""
    samples: int = 2000
    """How many single items a latency is taken from."""
    stand: int = 0
    """The process that has started it; 0: a person at the keyboard."""
    host: str = "127.0.0.1"
    """Where tcp is bound."""
    curve: bool = False
    """Whether tcp is CURVE; keys are in ``keys``."""
    squeeze: str = ""
    """What compresses the messages, if anything."""
    rate: float = 0.0
    """Bytes a second that the road between the ends can take; 0: nobody has narrowed it."""
    jobs: int = 5000
    """How many jobs are run, or wait."""
    broker: str = ""
    """The URL of RabbitMQ, where jobs travel over one."""

    @property
    def plain_broker(self) -> str:
        """The same for those who know no more than AMQP."""
        return self.broker.partition("?")[0]

    def path(self, name: str) -> str:
        """A file of this run."""
        return os.path.join(self.directory, name)

    def environment(self) -> dict[str, str]:
        """The variables to start a process of this run with."""
        return {VARIABLE: json.dumps(asdict(self))}

    @classmethod
    def here(cls) -> Self:
        """The trial this process belongs to."""
        fields = json.loads(os.environ.get(VARIABLE, "{}"))
        if "shape" in fields:
            fields["shape"] = tuple(fields["shape"])
        return cls(**fields)

    def over(self) -> bool:
        """Whether enough has been measured, so that a source may end (a look at a file: some 2 us)."""
        return os.path.exists(self.path("over"))

    def finish(self) -> None:
        """Tell the sources of this run that enough has been measured."""
        with open(self.path("over"), "w", encoding="utf-8"):
            pass

    def report(self, **reading: Any) -> None:
        """Leave the reading where the test stand looks for it: whole or not at all."""
        partial = self.path("reading.part")
        with open(partial, "w", encoding="utf-8") as file:
            json.dump(reading, file)
        os.replace(partial, self.path("reading.json"))
