"""The sentences of calls that have no answer."""

from __future__ import annotations

from penstock.errors import RemoteError, ServiceBusy, TimedOut
from penstock.link import callwire
from penstock.link.picker import Picker


def raised(service: str, told: callwire.Failed) -> RemoteError:
    """It has raised there."""
    return RemoteError(f"{service}: {told.message}", kind=told.kind, traceback=told.traceback)


def too_late(service: str, picker: Picker, *, begun: bool, waiting: int) -> TimedOut:
    """Its time is up. ``begun``: a replica has it. ``waiting``: how many others have no room."""
    if begun:
        return TimedOut(f"{service} has not answered in the time that the call had")
    replicas = len(list(picker.numbers))
    if not replicas:
        return ServiceBusy(f"{service} has no replica that is ready; see `penstock ps`")
    return ServiceBusy(
        f"{service} had no room for the call in the time that it had: its {replicas} replicas hold"
        f" {picker.held} calls of this process, and {waiting} more wait;"
        f" give it more: `penstock scale {service}={2 * replicas}`"
    )


def lost(service: str, losses: int, cause: str) -> str:
    """Each replica that had it died."""
    times = "its replica died" if losses == 1 else f"{losses} replicas died with it one after the other"
    return f"{service} has no answer: {times}, the last was {cause}"
