"""The small item that is sent: some 64 bytes on the wire, as much as the peer's raw message."""

from __future__ import annotations

from typing import TypedDict

SENSOR = "hall-2/boiler-3/outlet/top"
CELSIUS = 71.5


class Reading(TypedDict):
    """One value of one sensor. Sources make a new one each time: only ``number`` differs."""

    number: int
    sensor: str
    celsius: float


def corrected(reading: Reading) -> Reading:
    """One small change, so that there is something to do."""
    reading["celsius"] += 0.25
    return reading
