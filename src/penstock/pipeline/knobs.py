"""What can be chosen for a stage besides its code, as it is written: one word and one meaning each."""

from __future__ import annotations

import os
from typing import Any, Callable, Mapping, Optional, Tuple, TypedDict, Union

from penstock.pipeline.duration import Duration
from penstock.pipeline.plan import Compress, OnFull


class Common(TypedDict, total=False):
    """The knobs of ``@source``, ``@stage`` and ``@sink``, as they are written."""

    name: str
    """Its name in the pipeline; else the name of the function or class."""
    replicas: int
    """Processes that share the work; 1."""
    window: int
    """Items one replica may hold unfinished, per sender; else the link chooses. Not for sources."""
    timeout: Optional[Duration]
    """How long one item may take, with its unit: ``"250ms"``, ``"30s"``, ``"5m"``, ``"1h"``; then the
    replica is killed and the item has failed once. No limit unless said. Not for sources."""
    max_failures: int
    """An item may fail this often and be tried again; one more is a dead letter; 3. Not for sources."""
    max_age: Optional[Duration]
    """An item older than that is dropped instead of being begun here, with its unit: ``"500ms"``. Its age
    counts from when the stage before made it. No limit unless said. Not for sources."""
    on_full: OnFull
    """What happens to items for which this stage has no room: ``"block"`` has their maker wait,
    ``"drop_oldest"`` drops those that wait longest, ``"drop_newest"`` those that come. Not for sources."""
    compress: Optional[Compress]
    """How what it gives is compressed on its way to other hosts: ``"lz4"``, ``"zstd"``, or ``"auto"``, which
    measures whether it pays. Never within a host. Not for sinks."""
    max_restarts: int
    """Restarts within a minute before the pipeline gives up; 20."""
    start_timeout: Duration
    """How long a replica may take until its ``setup`` is done; ``"60s"``."""
    env: Optional[str]
    """The environment that it runs in: ``[envs.NAME]`` of ``penstock.toml``; else that of the supervisor."""
    interpreter: Union[str, os.PathLike[str], None]
    """The Python that runs it (relative to the file); else the one that runs the pipeline."""
    variables: Mapping[str, str]
    """Added to its environment."""
    hosts: Optional[str]
    """The label of the hosts that run it, where several run the pipeline; ``"first"``: the one that began
    it. Else sources and sinks are there, and stages anywhere."""
    ports: Tuple[str, ...]
    """Names it may ``ctx.emit`` to besides its default output. Not for sinks."""
    dedupe: Union[bool, int]
    """``True``: an item that its code is through with and that comes again is settled without a call. The
    last 100,000 ids are remembered, neighbours as one; a number says how many. Only for sinks."""
    key: Union[str, Callable[[Any], Any], None]
    """What makes items belong together: a key (or attribute) of the item, or a function of it at the top
    level of a module. Items of one key go to one replica, one at a time. Not for sources."""
    ordered: bool
    """Its items come in the order in which their source made them, whatever replicas, retries and deaths lie
    between; it has one replica, and its ``window`` says how far a source may be ahead. Not for sources."""
    fuse: Optional[bool]
    """``True``: it runs in the process of the stage behind it, or of the one before. ``False``: it shares its
    process with nobody. Else ``penstock.map``, ``filter`` and ``split`` share one where they fit, and stages
    do not. Not for sources."""
    concurrency: int
    """Items that one replica has in hand at once, where its code is async; 1. Not for sources."""
    threads: int
    """Threads in which one replica runs its plain code, an item each; for code that frees the GIL. Else it
    runs in the main thread, one item after the other. Not for sources."""


class Batching(Common, total=False):
    """What can be said besides where ``batch`` is."""

    batch_wait: Duration
    """How long a batch may wait to be full once there is an item for it: ``"5ms"``; ``"0s"``: not at all."""
    pad: Union[int, float]
    """Arrays of a batch are made as large as the largest, at their ends, with this value; else their shapes
    must agree."""


class Knobs(Batching, total=False):
    """All of them. (Three classes, because ``batch`` changes the type of what is decorated.)"""

    batch: int
    """The code takes up to so many items in one call: a list of them, or, where the annotation is an array,
    arrays stacked along a new first axis. Not for sources."""
