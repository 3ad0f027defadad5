"""In a script that takes part in a pipeline: the way in."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Optional, Union

from penstock import __version__
from penstock.errors import NotRunning
from penstock.message import envelope
from penstock.runtime import client, control
from penstock.runtime.guest.guest import Guest
from penstock.runtime.guest.hosted import Hosted
from penstock.runtime.worker.channel import Channel, SupervisorLost

if TYPE_CHECKING:
    from penstock.pipeline.pipeline import Pipeline


def attach(pipeline: Union[str, os.PathLike[str], Pipeline, None], stage: str, *, takes: Any = Any) -> Guest:
    """Take part in a pipeline that runs, as one of its external stages, with a loop of your own.

    ::

        with penstock.attach("robot", "simulate") as node:
            for message in node:
                node.emit(world.step(message.value))

    What is for the stage waits until a script is there, and again when it has gone. However it goes (also by
    kill -9), nothing is lost and the pipeline goes on.

    Args:
        pipeline: its name, its app file, the pipeline itself, or ``None``: the only one that runs here.
        stage: a stage that the app declares with ``penstock.external``.
        takes: what values are built as, like the annotation of a stage's parameter.

    Raises:
        NotRunning: no such pipeline runs here; says which do.
        UserError: there is no such stage, it is not external, its seats are taken, or the pipeline runs under
            another version of Penstock.
    """
    worker = enter(find(pipeline), stage)
    try:
        guest = Guest(worker, takes)
        worker.begin()
    except BaseException as error:
        worker.close()
        if isinstance(error, SupervisorLost):
            raise worker.farewell() from None
        raise
    return guest


def find(pipeline: Union[str, os.PathLike[str], Pipeline, None]) -> client.Run:
    """The run that is meant.

    Raises:
        NotRunning: there is none.
    """
    text: Optional[str] = getattr(pipeline, "name", None)
    if isinstance(pipeline, (str, os.PathLike)):
        text = os.fspath(pipeline)
    if text is None or not text.endswith(".py"):
        return client.find(text)
    path = os.path.abspath(text)
    found = [run.pipeline for run in client.runs() if run.app == path]
    if not found:
        raise NotRunning(f"{text} is not running here; start it with `penstock run {text}`")
    return client.find(found[0] if len(found) == 1 else None)


def enter(run: client.Run, stage: str, replica: Optional[int] = None) -> Hosted:
    """A worker in that seat, which has not begun.

    Raises: as ``attach``.
    """
    channel = ask(run, stage, replica)
    try:
        return Hosted(channel, channel.first())
    except SupervisorLost:
        channel.close()
        raise client.RunGone(f"{run.pipeline} ended before it gave {stage} a seat") from None


def ask(run: client.Run, stage: str, replica: Optional[int] = None) -> Channel:
    """The line to its supervisor that a worker of that stage has.

    Raises: as ``attach``.
    """
    versions = [control.VERSION, envelope.VERSION]
    question = {"stage": stage, "replica": replica, "versions": versions, "penstock": __version__}
    return Channel(client.attach(run, question))
