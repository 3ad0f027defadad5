"""A pipeline: a name and the flows that are wired in it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Mapping, Optional, Type, TypeVar, Union, overload

from penstock.errors import UserError, WiringError
from penstock.pipeline.checks import check_name, check_on_full
from penstock.pipeline.duration import Duration
from penstock.pipeline.flow import Flow, Handler, as_flow, join
from penstock.pipeline.overlay import Overlay
from penstock.pipeline.place import Place, caller, importing
from penstock.pipeline.plan import OnFull, Plan
from penstock.pipeline.stage import Node

if TYPE_CHECKING:
    from penstock.message.recording import Recording
    from penstock.testing.result import Result
    from penstock.testing.running import Running

X = TypeVar("X")


class Pipeline:
    """Stages wired together under a name, ready to be planned and run.

    ::

        pipeline = Pipeline("vision", camera >> detect >> save, detect["broken"] >> review)

        if __name__ == "__main__":
            raise SystemExit(pipeline.run())

    Attributes:
        name: Names its run and state directories: up to 64 letters, digits, ``_``, ``-`` and ``.``.
        file: The file that declares it; its state directory lies beside it.
        allow_pickle: Whether values of any type may travel, as pickles. Only between processes of one
            host, and only when everything that feeds the pipeline is trusted.
    """

    def __init__(
        self, name: str, *flows: Union[Flow[Any, Any], Type[Any]], allow_pickle: bool = False
    ) -> None:
        """Take the flows; what is wrong with them together, ``plan`` says.

        Raises:
            WiringError: not a possible name, or something that is no flow.
        """
        place = caller()
        try:
            self.name = check_name(name)
        except ValueError as error:
            raise WiringError(f"Pipeline({name!r}): {error}", str(place)) from None
        self.file = place.file
        self.allow_pickle = allow_pickle
        self._where = str(place)
        self._flows: List[Flow[Any, Any]] = [as_flow(flow, place) for flow in flows]

    def __repr__(self) -> str:
        return f"<pipeline {self.name} {self._where}>"

    @overload
    def connect(
        self,
        source: Flow[Any, Any],
        target: Flow[Any, Any],
        *,
        port: str,
        on_full: Optional[OnFull] = None,
    ) -> None: ...
    @overload
    def connect(
        self,
        source: Flow[Any, X],
        target: Union[Flow[X, Any], Type[Handler[X, Any]]],
        *,
        on_full: Optional[OnFull] = None,
    ) -> None: ...
    @overload
    def connect(
        self,
        source: Type[Any],
        target: Union[Flow[Any, Any], Type[Any]],
        *,
        on_full: Optional[OnFull] = None,
    ) -> None: ...
    def connect(self, source: Any, target: Any, *, port: str = "", on_full: Optional[OnFull] = None) -> None:
        """The same as ``source >> target`` or ``source[port] >> target``, for wiring in a loop.

        Args:
            source: What gives items.
            target: What takes them.
            port: The output of ``source``, where it is not the default one.
            on_full: What happens to items for which there is no room: ``"block"``, ``"drop_oldest"`` or
                ``"drop_newest"``; ``None``: what ``target`` says.

        Raises:
            WiringError: as ``>>``; no such ``on_full``.
        """
        place = caller()
        if on_full is not None:
            try:
                check_on_full(on_full)
            except ValueError as error:
                raise WiringError(f"on_full={on_full!r}: {error}", str(place)) from None
        left = as_flow(source, place)
        if port:
            left = self._port(left, port, place)
        self._flows.append(join(left, as_flow(target, place), place, on_full))

    @staticmethod
    def _port(source: Flow[Any, Any], port: str, place: Place) -> Flow[Any, Any]:
        if isinstance(source, Node):
            return source.port(port, place)
        raise WiringError(f"{source!r} has no ports; name the stage that has", str(place))

    @property
    def nodes(self) -> List[Node[Any, Any]]:
        """Its stages, each once, in the order they were written."""
        return list({id(node): node for flow in self._flows for node in flow.nodes}.values())

    def plan(
        self,
        overlays: Optional[Mapping[str, Overlay]] = None,
        config: Optional[Dict[str, Any]] = None,
        *,
        fuse: bool = True,
    ) -> Plan:
        """All that a supervisor needs to run this, checked.

        Args:
            overlays: What a configuration says of stages, by their names; none: as the code has it.
            config: The user's own settings, ``ctx.config``; none by default.
            fuse: Whether stages may share a process; else each has its own.

        Raises:
            WiringError: it cannot run as it is wired; says the file, the line and the cure.
        """
        from penstock.pipeline import fusion, graph  # a worker imports the file, and plans nothing

        said = overlays or {}
        plans = [node.plan(said.get(node.name)) for node in self.nodes]
        edges = [edge for flow in self._flows for edge in flow.edges]
        whole = graph.plan(
            self.name, plans, edges, where=self._where, allow_pickle=self.allow_pickle, config=config
        )
        named = {node.name for node in self.nodes if node.target is None}
        return fusion.fused(whole, self._said_of_fuse(said), named) if fuse else whole

    def _said_of_fuse(self, overlays: Mapping[str, Overlay]) -> Dict[str, str]:
        """Where ``fuse`` was said, by stage."""
        said = {node.name: dict(node.options.places) for node in self.nodes}
        for name in said.keys() & overlays.keys():
            said[name].update(overlays[name].places)
        return {name: str(places["fuse"]) for name, places in said.items() if "fuse" in places}

    def run(self, *, resume: bool = False) -> int:
        """Run it here until its sources are exhausted or Ctrl-C drains it, as ``penstock run`` does.

        What ``penstock.toml`` and ``PENSTOCK_*`` variables say counts here too.

        Args:
            resume: Sources that take ``start`` go on from where the last run has come to; by default a run
                begins anew.

        Returns:
            The exit code: 0 after a clean drain; see ``penstock run --help``. What is wrong with the wiring
            is said in one sentence on stderr, and is 4.

        Raises:
            WiringError: this is called while its file is imported.
        """
        # Each worker imports the file; were it to run the pipeline too, that would never end.
        place = importing()
        if place is not None:
            raise WiringError(
                'run() is called while the file is imported; put it under `if __name__ == "__main__":`',
                str(place),
            )
        from penstock.config.configuration import configured
        from penstock.runtime.run import run_foreground

        try:
            plan = configured(self, os.environ)
        except UserError as error:
            print(f"penstock: {error}", file=sys.stderr)  # noqa: T201  the same words as `penstock run`
            return error.exit_code
        return run_foreground(plan, app=self.file, resume=resume)

    def test(
        self,
        items: Union[Iterable[Any], Mapping[str, Iterable[Any]], Recording, None] = None,
        *,
        replace: Optional[Mapping[str, Any]] = None,
        config: Optional[Mapping[str, Any]] = None,
        limit: int = 10_000,
    ) -> Result:
        """Run the whole graph inside this process, for a test: no process is started, and nothing sleeps.

        The workers are the real ones, so values go through the real codec (what could not travel fails),
        and what raises is tried again, rejected and given up by the real rules. Time is a clock of the test's
        own: where all wait, for a back-off say, it goes forward at once. The same items give the same result.

        Each stage is a worker of its own, also where in processes it shares one: what comes out is the same.
        What is not there is what processes are for: no item is timed out, as none takes any time, and none
        is dropped by ``on_full``, as nobody is slow; all stages run under this Python; code that ends its
        process ends the test.

        Args:
            items: What the source makes instead of its own items; with several sources a mapping by their
                names. A source that is not named runs as it is written. Or a ``Recording``: each source
                plays what it has sent, under the ids of then.
            replace: Other code for some stages, by their names: functions or classes, also such as only the
                test can see.
            config: What ``ctx.config`` is; no file and no variable is read for a test.
            limit: So many items may a source make that runs as it is written.

        Returns:
            What each sink has taken (``result["save"]``), the dead letters, the ledger, and every delivery.

        Raises:
            WiringError: as ``plan``; there is no such source or stage; a stage's ``variables`` are not set
                here.
            UnsupportedType: one of ``items`` cannot travel.
            UserError: a source goes on beyond ``limit``.
            PipelineFailed: a stage's code could not be loaded or set up, or a source raised; what it raised
                is the ``__cause__``.
        """
        from penstock.message.recording import Recording
        from penstock.testing.rehearsal import rehearse

        recorded = isinstance(items, Recording)  # its links are those that were left when stages were fused
        plan = self.plan(config=dict(config or {}), fuse=recorded)
        targets = {node.name: node.target for node in self.nodes}
        known = {name: target for name, target in targets.items() if target is not None}
        return rehearse(plan, known, items=items, replace=replace or {}, limit=limit)

    def running(
        self,
        *,
        timeout: Duration = "30s",
        state_dir: Union[str, os.PathLike[str], None] = None,
        config: Optional[Mapping[str, Any]] = None,
    ) -> Running:
        """The pipeline in real processes, for the length of a ``with`` block: a test that breaks them.

        ::

            with pipeline.running() as run:
                run.wait_ready()
                run.kill("detect", 0)
                run.wait_idle(entered=100)
                assert run.totals.lost == 0

        Args:
            timeout: how long each of its waits may take, unless it is said there.
            state_dir: where logs and dead letters are kept; by default in a temporary directory, for the
                length of the block.
            config: what ``ctx.config`` is; no file and no variable is read for a test.

        Raises:
            WiringError: as ``plan``.
            ValueError: ``timeout`` is no time.
        """
        from penstock.testing.running import Running

        return Running(
            self.plan(config=dict(config or {})), app=self.file, timeout=timeout, state_dir=state_dir
        )
