"""The plan of a run: what the graph says, in the words the runtime works with.

A plan is plain data (msgspec structs), so it can be compared, printed as JSON and sent anywhere. The
functions below answer each worker's two questions: what do I feed, and what feeds me.
"""

from __future__ import annotations

from graphlib import TopologicalSorter
from types import MappingProxyType
from typing import Any, Dict, List, Literal, Mapping, Optional, Tuple, Union

import msgspec

from penstock.pipeline.reference import EXTERNAL, Reference
from penstock.pipeline.secret import Secret

GROUP = "task"
"""The ``kind`` of a stage that is a group of tasks."""

SERVICE = "service"
"""The ``kind`` of a stage that is called, and has no links."""

By = Union[Reference, str]
"""How a route chooses. A reference: called with the value, it names the target (a stage, its name or
its position). A string: the key (or attribute) of the value that names it."""

SUBSCRIBER = "subscriber"
"""The ``kind`` of a stage that gets what others publish, and has no links."""

MOST_REPLICAS = 1000
"""Of one stage. Each is a process with open files: one zero too many would take the machine with it."""

UNBOUNDED = -1
"""Instead of how far a source may be ahead: as far as it likes."""

OnFull = Literal["block", "drop_oldest", "drop_newest"]
"""What a full link does: have its maker wait, drop the oldest item that waits, or refuse the new one."""

Compress = Literal["lz4", "zstd", "auto"]
"""How what goes to other hosts is packed; ``auto`` measures which way pays, if any."""

How = Literal["source", "stage", "sink", "map", "filter", "split", "window", "join", "subscriber", "service"]
"""What code was declared as, which says how it is called: a filter's answer is not what is sent. (A window
and a join have none of the user's.)"""

WRITTEN: Tuple[How, ...] = ("source", "stage", "sink", "subscriber", "service")
"""What stands above a definition: met twice, it is the same. Others are new wherever they are written."""

ONE_LINERS: Tuple[How, ...] = ("map", "filter", "split")

Gives = Literal["one", "many", "unsure"]
"""How many outputs a call has: one at most, several, or nobody knows before it is loaded."""


class Step(msgspec.Struct, frozen=True):
    """One piece of code in a process that runs several, one behind the other."""

    name: str
    how: How
    code: Reference


Rows = Literal["inner", "left", "outer"]
"""Which rows a join lets out: full ones; those too that have an item of the first flow; all."""


class WindowPlan(msgspec.Struct, frozen=True, tag="window"):
    """A stage of ours that puts items together in lists; what is not said is 0. See
    ``runtime.windows.Rule``."""

    count: int = 0
    step: int = 0
    time: float = 0.0
    every: float = 0.0
    gap: float = 0.0
    by: Optional[By] = None
    """What has windows of its own; ``None``: all have the same."""
    limit: int = 100_000
    """Items that are kept at most."""


class JoinPlan(msgspec.Struct, frozen=True, tag="join"):
    """A stage of ours that puts items of several flows together in rows, one of each."""

    on: List[By]
    """What the items of each flow are known by."""
    within: float
    """Seconds that the items of a row may be apart."""
    how: Rows = "inner"
    limit: int = 100_000
    """Items of one flow that wait for a partner at most."""


ShapePlan = Union[WindowPlan, JoinPlan]


class Reel(msgspec.Struct, frozen=True):
    """What a source plays again instead of making items of its own."""

    path: str
    """The folder of the recording."""
    tracks: Dict[int, str] = {}
    """What is played on which link: the label of a recorded one, by the id of ours."""
    speed: float = 0.0
    """1: with the pauses as they were, 2: with half of them; 0: with none."""
    loop: bool = False
    """Begin anew at the end."""
    sources: Dict[str, List[str]] = {}
    """Whose items (``camera``, ``camera:rejected``) are on each link that is played, here or by others, by
    its label; said where somebody takes them in order."""


class Ear(msgspec.Struct, frozen=True):
    """What a subscriber has asked for."""

    topics: List[str]
    """``metrics.loss``; ``metrics.*`` is all that begins so."""
    last: bool = False
    """Also what was published before it came, where that was kept."""
    conflate: bool = False
    """Of each topic only the newest waits for it."""


class StagePlan(msgspec.Struct, frozen=True):
    """One stage: where its code is, in how many processes and under which rules it runs."""

    name: str
    kind: str
    """``source``, ``stage`` or ``sink``; without links: ``task``, a group of tasks, ``subscriber``, which
    gets what is published, ``service``, which is called."""
    code: Reference
    replicas: int = 1
    window: int = 0
    """Items one replica may hold unfinished, per sender; 0 lets the link choose."""
    window_bytes: int = 256 * 1024 * 1024
    timeout: Optional[float] = None
    """Seconds one item may take; ``None``: as long as it likes."""
    max_failures: int = 3
    """An item may fail this often and be tried again; one more is a dead letter."""
    max_age: Optional[float] = None
    """Seconds from when an item was made until it is not to be begun here any more; ``None``: for ever."""
    on_full: OnFull = "block"
    """What its in-links do when they are full, where the wire says nothing else."""
    compress: Optional[Compress] = None
    """How what it gives is packed for other hosts; ``None``: not at all."""
    max_restarts: int = 20
    """Restarts inside a minute before the pipeline gives up."""
    start_timeout: float = 60.0
    """Seconds from the start of the process until ``setup`` is done."""
    env: Optional[str] = None
    """The environment that it runs in, ``[envs.NAME]``; ``None``: it names none."""
    interpreter: Optional[str] = None
    """Path of the Python that runs it; ``None``: the supervisor's own."""
    variables: Dict[str, str] = {}
    """Added to the worker's environment."""
    hosts: Optional[str] = None
    """The label of the hosts that may run it; ``None``: it says none."""
    secrets: Dict[str, Secret] = {}
    """Added too, by value found when the run starts."""
    ports: Tuple[str, ...] = ()
    """Names it may emit to besides its default output; each has a link."""
    dedupe: int = 0
    """Ids that a sink remembers, to do nothing twice; neighbours count as one. 0: none."""
    key: Optional[By] = None
    """What decides which replica gets an item; ``None``: whoever has room."""
    concurrency: int = 0
    """Items that a replica whose code is async has in hand at once; 0: not said, so one."""
    threads: int = 0
    """Threads that run its code, an item each; 0: the main thread does."""
    batch_wait: float = 0.005
    """Seconds that a batch may wait to be full."""
    pad: Union[int, float, None] = None
    """What fills the ends of smaller arrays of a batch; ``None``: their shapes must agree."""
    batch: int = 0
    """Items of one call of its code at most; 0: its code takes one item."""
    ordered: bool = False
    """Its items come in the order in which their source made them."""
    how: How = "stage"
    """What its own code was declared as."""
    gives: Gives = "unsure"
    """How many outputs its last piece of code has for one item."""
    fuse: Optional[bool] = None
    """Whether it is to share the process of a neighbour; ``None``: if it is a one-liner and fits."""
    steps: List[Step] = []
    """All that runs in its process, in this order, itself among them; none: itself, called as ever."""
    shape: Union[WindowPlan, JoinPlan, None] = None
    """It is one of ours, and has no code of the user's; ``None``: it has."""
    reel: Optional[Reel] = None
    """Of a source whose code is not called: what it plays."""
    queue: str = ""
    """Of a source or a sink of ours: the durable queue from which its items come, or to which they go."""
    tasks: Dict[str, Reference] = {}
    """Of a group: the code of each of its tasks, by its name."""
    ear: Optional[Ear] = None
    """Of a subscriber: what it gets."""
    devices: List[str] = []
    """Of a group: the GPUs of this machine that are its own; each worker has its part of them."""
    max_jobs: int = 0
    """Of a group: attempts after which a worker is replaced by a new one; 0: never."""
    max_rss: int = 0
    """Of a group: bytes of memory from which on a worker is replaced, once it is through with its job; 0:
    never."""
    run_without_store: bool = False
    """Of a group whose jobs go over a broker: they are begun, too, while nobody keeps the store."""
    where: str = ""
    """``file:line`` of its definition."""

    @property
    def share(self) -> int:
        """Of a group: how many GPUs each of its workers has."""
        return len(self.devices) // max(1, self.replicas)

    @property
    def title(self) -> str:
        """What runs in its process: ``detect``, ``[shrink + detect]``."""
        names = [step.name for step in self.steps]
        return f"[{' + '.join(names)}]" if names else self.name

    @property
    def external(self) -> bool:
        """Whether no process is started for it: scripts take part by ``penstock.attach``."""
        return self.code == EXTERNAL

    @property
    def hands(self) -> int:
        """Items that one replica works on at once, at most."""
        return max(1, self.batch, self.concurrency, self.threads)

    @property
    def room(self) -> int:
        """Items one replica may hold unfinished, per sender, as ``window``. Where it has several in hand,
        twice as many: the link alone would give it no more than keep one busy."""
        several = max(self.concurrency, self.threads)
        return self.window or (2 * several if several > 1 else 0)


class LinkPlan(msgspec.Struct, frozen=True):
    """One link: what leaves ``port`` of ``source`` arrives at ``target``."""

    id: int
    """Its number: the same in every process of a run."""
    source: str
    target: str
    port: str = ""
    """``""`` is the default port: what is returned or yielded."""
    on_full: OnFull = "block"
    """What happens to items for which there is no room."""
    side: int = 0
    """Of a join: which of its flows it belongs to, from 0."""

    @property
    def label(self) -> str:
        """How people name it: ``camera→detect``, ``detect[rejected]→review``."""
        port = f"[{self.port}]" if self.port else ""
        return f"{self.source}{port}→{self.target}"


class RoutePlan(msgspec.Struct, frozen=True):
    """Links of one port of one stage of which each value takes exactly one."""

    by: By
    links: List[int]
    """Ids, in the order the targets were written: a position returned by ``by`` counts here."""


class Plan(msgspec.Struct, frozen=True):
    """All that a supervisor needs to run a pipeline."""

    pipeline: str
    stages: List[StagePlan]
    """Upstream before downstream."""
    links: List[LinkPlan]
    allow_pickle: bool = False
    routes: List[RoutePlan] = []
    config: Dict[str, Any] = {}
    """The user's own settings: plain data, and ``Secret``s for what is found when the run starts."""

    def stage(self, name: str) -> StagePlan:
        """The stage of that name.

        Raises:
            KeyError: there is none.
        """
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise KeyError(name)

    @property
    def queues(self) -> Dict[str, str]:
        """The sources that draw from queues, each with its queue."""
        return {stage.name: stage.queue for stage in self.stages if stage.queue and stage.kind == "source"}

    @property
    def has_jobs(self) -> bool:
        """Whether it needs a store of jobs: it has a group of tasks, or draws from a queue."""
        return bool(self.queues) or any(stage.kind == GROUP for stage in self.stages)


class OutLink(msgspec.Struct, frozen=True):
    """One link this worker feeds."""

    id: int
    """The link's number in the plan: the same in every process of a run."""
    target: str
    """Name of the stage that receives."""
    max_failures: int
    """The target's: an item may fail this often and be tried again; one more is a dead letter."""
    on_full: OnFull = "block"
    window: int = 0
    """The target's."""
    max_age: Optional[float] = None
    """The target's."""
    key: Optional[By] = None
    """The target's: a reference is called with the value, a string is a key (or attribute) of it; the same
    key goes to the same replica. ``None``: to whoever has room."""
    replicas: int = 0
    """Where there is a key: how many replicas the target is to have."""
    tells: bool = False
    """Somebody below takes items in order, and has to know of those that never arrive."""
    ahead: int = 0
    """Of a source: how many of its items may be unsettled then; 0: the link chooses; or ``UNBOUNDED``."""
    compress: Optional[Compress] = None
    """The sender's: how what goes to other hosts is packed."""


class Outlet(msgspec.Struct, frozen=True):
    """What happens with what leaves a port: a copy to every link, or a choice of one by ``by``."""

    port: str
    """``""`` is the default port: what is returned or yielded."""
    links: List[OutLink]
    by: Union[Reference, str, None] = None
    """``None``: each link gets it. A reference: called with the value, names the target (a stage,
    its name or its position). A string: the key (or attribute) of the value that names it."""


class InLink(msgspec.Struct, frozen=True):
    """One link this worker is fed by."""

    id: int
    source: str
    """Name of the stage that sends."""
    side: int = 0
    """Of a join: which of its flows it belongs to, from 0."""
    roots: List[str] = []
    """Of an ordered stage: the sources whose items come by it; ``camera:rejected`` is a port of one."""
    compress: Optional[Compress] = None
    """The sender's: how what comes from other hosts may be packed."""


def outlets(plan: Plan, stage: str, asked: Mapping[str, int] = MappingProxyType({})) -> List[Outlet]:
    """What ``stage`` feeds: per port one outlet that copies to its plain links, then one per route.
    ``asked``: how many replicas are wanted now, by stage; else as many as planned."""
    mine = {link.id: link for link in plan.links if link.source == stage}
    routed = {link for route in plan.routes for link in route.links}
    copies: Dict[str, List[OutLink]] = {}
    for link in mine.values():
        if link.id not in routed:
            copies.setdefault(link.port, []).append(_outlink(plan, link, asked))
    found = [Outlet(port, links) for port, links in copies.items()]
    for route in plan.routes:
        if route.links[0] in mine:
            links = [_outlink(plan, mine[link], asked) for link in route.links]
            found.append(Outlet(mine[route.links[0]].port, links, route.by))
    return found


def inlinks(plan: Plan, stage: str) -> List[InLink]:
    """What feeds ``stage``, in the order of the plan."""
    return [
        InLink(link.id, link.source, link.side, compress=plan.stage(link.source).compress)
        for link in plan.links
        if link.target == stage
    ]


def order(plan: Plan) -> List[str]:
    """Names of the stages, upstream before downstream: the order in which a pipeline drains.

    Raises:
        graphlib.CycleError: never for a plan made by ``Pipeline.plan()``.
    """
    feeds: Dict[str, List[str]] = {stage.name: [] for stage in plan.stages}
    for link in plan.links:
        feeds[link.target].append(link.source)
    aside = {stage.name for stage in plan.stages if stage.kind == SUBSCRIBER}
    return sorted(TopologicalSorter(feeds).static_order(), key=aside.__contains__)


def _outlink(plan: Plan, link: LinkPlan, asked: Mapping[str, int]) -> OutLink:
    target = plan.stage(link.target)
    fields = (link.id, link.target, target.max_failures, link.on_full, target.room, target.max_age)
    plain = OutLink(*fields, compress=plan.stage(link.source).compress)
    if target.key is None:
        return plain
    replicas = asked.get(link.target, target.replicas)
    return msgspec.structs.replace(plain, key=target.key, replicas=replicas)
