"""The clock, and the contract of everything that is started and stopped.

Time is injected: decision modules get ``now`` as an argument, services get a ``Clock``; tests hand in
their own and never sleep.
"""

from __future__ import annotations

import time
from typing import Callable

Clock = Callable[[], float]
"""Seconds that never go back; comparable between the processes of one host."""

monotonic: Clock = time.monotonic
