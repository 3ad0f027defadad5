"""Runs in the worker: one process, one replica of one stage. Needs the standard library, pyzmq and msgspec.

The main thread receives a batch, calls user code item by item, sends what it made and settles. CUDA and
signal handlers want the main thread, so user code has it; libzmq moves bytes in a thread of its own, and
the steward (``steward.py``) does the sockets' duties while user code takes its time.
"""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any, Callable, Dict, Optional, Union

from penstock.errors import UserError
from penstock.link.receiver import Receiver
from penstock.link.sender import Sender
from penstock.message.arena import Arena
from penstock.message.codec import Decoder, Encoder
from penstock.message.views import Views
from penstock.observe import page
from penstock.pipeline.reference import Reference
from penstock.runtime import control
from penstock.runtime.worker import handler, outset, steward
from penstock.runtime.worker.channel import Channel, bound
from penstock.runtime.worker.emitter import Emitter
from penstock.runtime.worker.exchange import Exchange, Stopped
from penstock.runtime.worker.handler import Handler
from penstock.runtime.worker.live import LiveContext, Voice
from penstock.runtime.worker.order import ordering
from penstock.runtime.worker.several import manner
from penstock.runtime.worker.several.stock import Stock
from penstock.runtime.worker.sieve import Sieve
from penstock.runtime.worker.source.producer import Producer
from penstock.runtime.worker.source.resumption import Resumption
from penstock.runtime.worker.spills import Spills
from penstock.runtime.worker.undertaker import Undertaker
from penstock.runtime.worker.wishes import Wishes
from penstock.runtime.worker.world import World

if TYPE_CHECKING:  # what few workers need is imported where they do: each file costs 0.5 ms of a start
    from penstock.runtime.worker.chain import Chain
    from penstock.runtime.worker.order.teller import Teller
    from penstock.runtime.worker.sink.dedupe import Dedupe
    from penstock.runtime.worker.source.tray import Tray


class Worker:
    """Everything one worker process has; wired here and nowhere else."""

    def __init__(self, channel: Channel, assignment: control.Assignment, surroundings: World) -> None:
        socket_path, arena_path, page_path = control.paths(assignment.run_dir, assignment.number)
        self._assignment = assignment
        self._channel = channel
        self._page = page.Page(page_path, create=True)
        self._words = words = self._page.words
        self._arena = Arena(arena_path, assignment.arena_bytes)
        self._sockets = surroundings.sockets
        self._exchange = Exchange(
            channel,
            number=assignment.number,
            label=assignment.label,
            words=words,
            world=surroundings,
            tick=steward.tick(assignment.workers),
        )
        self._views = Views(self._exchange.guard.wake)
        self._encoder = Encoder(self._arena, allow_pickle=assignment.allow_pickle, views=self._views)
        self._links = outset.make_links(assignment)
        self._clock = surroundings.clock
        self._pool = surroundings.pool
        self._loop: Any = None
        self._dedupe: Optional[Dedupe] = None
        receiver = self._make_receiver()
        self._resumption = self._make_resumption(surroundings)
        self._tray = self._make_tray()
        self._parts: Dict[str, Any] = {}
        """What puts items together, where that is its work."""
        undertaker = Undertaker(assignment, arena=self._arena.path, notice=self._exchange.notice)
        self._exchange.use(self._make_sender(socket_path, receiver, undertaker), receiver)
        self._wishes = Wishes(
            assignment,
            self._links,
            exchange=self._exchange,
            arena=self._arena,
            words=words,
            whole=undertaker.whole,
        )
        self._exchange.pause(paused=assignment.paused)
        if assignment.record is not None:
            self._wishes.record(assignment.record)
        self._voice = self._make_voice()
        self._context = LiveContext(
            assignment, exchange=self._exchange, encoder=self._encoder, voice=self._voice
        )
        self._handler: Union[Handler, Chain]
        self._emitter: Emitter

    def _make_voice(self) -> Voice:
        return Voice(self._assignment, self._exchange, self._sockets)

    def _make_receiver(self) -> Receiver:
        assignment = self._assignment
        return ordering.receiver_class(assignment)(
            context=self._sockets,
            number=assignment.number,
            replica=assignment.replica,
            window=assignment.window,
            window_bytes=assignment.window_bytes,
            batch=assignment.batch,
            links={
                link.id: page.link_word(len(self._links) + n, 0) for n, link in enumerate(assignment.inlinks)
            },
            words=self._words,
            views=self._views,
            wake=self._exchange.guard.wake,
            clock=self._clock,
        )

    def _make_sender(self, socket_path: str, receiver: Receiver, undertaker: Undertaker) -> Sender:
        return self._sender_class()(
            router=self._sockets.router(f"ipc://{socket_path}"),
            number=self._assignment.number,
            arena=self._arena,
            links=list(self._links.values()),
            words=self._words,
            clock=self._clock,
            on_settled=self._on_settled(receiver),
            bury=undertaker.bury,
            notice=self._exchange.notice,
            eager=self._assignment.kind == "source",
        )

    def _sender_class(self) -> Callable[..., Sender]:
        """What makes its sender, and its ways to other hosts, where there are any."""
        assignment = self._assignment
        if not (assignment.host or assignment.listen or assignment.curve):
            return Sender
        from penstock.runtime.worker import hosts

        hosts.reach(self._exchange, assignment, self._sockets, self._clock)
        return hosts.sender(assignment, self._sockets) if assignment.listen else Sender

    def _on_settled(self, receiver: Receiver) -> Callable[[Any, int], None]:
        """Who is told that something made here is settled: what is the parent of items differs."""
        if self._assignment.shape is not None:
            from penstock.runtime.worker.windows.group import Groups

            return Groups(receiver).settled
        if self._tray is not None:
            return self._tray.settled
        return receiver.settled if self._resumption is None else self._resumption.settled

    def run(self) -> int:
        """From Bound to Finished; the exit status."""
        self._open()
        try:
            self._load()
        except Exception as error:
            return self._fail(error, permanent=isinstance(error, (UserError, ImportError, SyntaxError)))
        self._exchange.bulletin.clear()
        self._words[page.STATE] = page.READY
        self._channel.say(control.Ready(self._context.resumption is not None))
        self._wishes.take_back()
        try:
            broken = self._work()
            self._words[page.STATE] = page.DRAINING
            self._exchange.until_settled()
            broken = self._tear_down() or broken
            self._exchange.until_settled()  # what teardown has emitted
            self._exchange.part()
            self._voice.finish()
        except Stopped:
            self._keep_position()
            self._as_user(self._handler.teardown)
            return 0
        self._keep_position()
        self._exchange.sender.end()
        self._words[page.STATE] = page.FINISHED
        if broken is not None:
            return self._fail(broken, permanent=True)
        self._channel.say(control.Finished())
        return 0

    def _open(self) -> None:
        """From here on receivers may come."""
        self._wishes.listen()
        self._channel.say(bound(self._exchange.sender.address))

    def close(self) -> None:
        """Send what has been said, and let go. The files in the run directory the supervisor removes."""
        self._wishes.close()
        self._voice.close()
        if self._loop is not None:
            self._as_user(self._loop.finish)
        self._sockets.close()
        if self._dedupe is not None:
            self._dedupe.close()

    def _load(self) -> None:
        self._words[page.STATE] = page.LOADING
        self._handler = self._make_handler()
        shape = self._assignment.shape
        if shape is not None:
            from penstock.runtime.worker.windows import shapes

            self._parts = self._as_user(lambda: shapes.parts(shape, outset.chooser))
        self._emitter = self._context.emitter = self._make_emitter()
        self._as_user(self._refuse_misfit)
        if self._handler.signature.resumes:
            self._context.resumption = self._resumption
        self._words[page.STATE] = page.SETUP
        self._as_user(self._handler.setup)

    def _make_handler(self) -> Union[Handler, Chain]:
        assignment, context = self._assignment, self._context
        if not assignment.steps:
            return self._handle(assignment.stage, assignment.code, context)
        from penstock.message.arrival import Arrival
        from penstock.runtime.worker import chain

        contexts = chain.contexts(assignment, context)
        handlers = [self._handle(step.name, step.code, own) for step, own in zip(assignment.steps, contexts)]
        arrival = Arrival(self._encoder, allow_pickle=assignment.allow_pickle)
        return chain.Chain(assignment, handlers, arrival=arrival)

    def _handle(self, name: str, code: Reference, context: Any) -> Handler:
        target = self._as_user(lambda: self._target(name, code))
        hostwide = f"{self._assignment.run_dir}/{name}.host"
        batches = bool(self._assignment.batch) and name == self._assignment.stage
        return Handler(target, context, hostwide=hostwide, loop=self._asyncio, batches=batches)

    def _target(self, name: str, code: Reference) -> Any:
        """The code of the step ``name``: a rehearsal may have other."""
        if self._assignment.queue and name == self._assignment.stage:
            from penstock.runtime.worker.sink import putter

            return putter.code(self._assignment)
        if self._assignment.shape is None:
            return outset.target(code)
        from penstock.runtime.worker.windows import shapes

        return shapes.work

    def _make_emitter(self) -> Emitter:
        ports = self._as_user(lambda: outset.make_ports(self._assignment, self._links))
        spills = Spills(
            self._arena, self._links, self._assignment, words=self._words, notice=self._exchange.notice
        )
        return Emitter(encoder=self._encoder, ports=ports, on_spill=spills.count)

    def _asyncio(self) -> Any:
        """The loop for async code, made when it is first needed."""
        if self._loop is None:
            from penstock.runtime.worker.several.loop import Loop

            self._loop = Loop(self._exchange)
        return self._loop

    def _refuse_misfit(self) -> None:
        manner.refuse_misfit(self._assignment, self._handler.signature)

    def _work(self) -> Optional[BaseException]:
        """What broke the source, if something did."""
        assignment = self._assignment
        parts: Dict[str, Any] = {
            "exchange": self._exchange,
            "emitter": self._emitter,
            "handler": self._handler,
        }
        if assignment.kind == "source":
            parts["begin"] = lambda: ordering.begin(assignment, self._links, self._context.resumption)
            parts.update(words=self._words, origin=assignment.origin, resumption=self._context.resumption)
            return self._producer(**parts).run()
        parts["words"] = self._words
        parts["decoder"] = Decoder(allow_pickle=assignment.allow_pickle)
        if assignment.shape is not None:
            del parts["handler"]
            from penstock.runtime.worker.windows import gatherer

            gatherer.of(assignment, **parts, **self._parts).run()
            return None
        parts["context"] = self._context
        parts["is_sink"] = not self._links
        if assignment.dedupe:
            from penstock.runtime.worker.sink.dedupe import remembering

            self._dedupe = remembering(assignment, words=self._words, notice=self._exchange.notice)
        teller = self._make_teller(yields=self._handler.yields)
        if self._handler.signature.is_async or assignment.threads:
            from penstock.runtime.worker.several.hand import Parts

            several = Parts(**parts, stock=self._kind_of_stock(teller), teller=teller)
            manner.several(assignment, several, loop=self._asyncio, pool=self._pool).run()
        else:
            self._one_by_one(parts, teller)
        return None

    def _make_teller(self, *, yields: bool) -> Optional[Teller]:
        user = {"emitter": self._emitter, "context": self._context, "yields": yields}
        return ordering.teller(self._assignment, self._links, receiver=self._exchange.receiver, **user)

    def _one_by_one(self, parts: Dict[str, Any], teller: Optional[Teller]) -> None:
        """Or call by call."""
        assignment = self._assignment
        batch: Dict[str, Any] = {
            "batch": assignment.batch,
            "wait": assignment.batch_wait,
            "pad": assignment.pad,
        }
        if self._dedupe is not None:
            exchange, decoder = self._exchange, parts["decoder"]
            batch["stock"] = self._kind_of_stock(teller)(
                receiver=exchange.receiver, decoder=decoder, words=self._words, clock=exchange.clock
            )
        one = {"timed": assignment.timeout is not None, "sieve": self._sieve()}
        ordering.loop(assignment, teller=teller, batch=batch, one=one, **parts).run()

    def _kind_of_stock(self, teller: Optional[Teller]) -> Callable[..., Any]:
        if self._assignment.ordered:
            return ordering.stock(self._assignment, self._exchange, teller)
        if self._dedupe is None:
            return Stock
        from penstock.runtime.worker.sink.deduped import DedupedStock

        return functools.partial(DedupedStock, self._dedupe)

    def _producer(self, **parts: Any) -> Producer:
        reel = self._assignment.reel
        if self._tray is not None:
            from penstock.runtime.worker.source.drawer import Drawer

            return Drawer(self._tray, is_dense=ordering.tells(self._assignment), **parts)
        if reel is None:
            return Producer(**parts)
        kind = ordering.replayer_class(self._assignment)
        return kind(reel, self._links, allow_pickle=self._assignment.allow_pickle, **parts)

    def _make_tray(self) -> Optional[Tray]:
        """Of a source that draws from a queue."""
        if not self._assignment.queue or self._assignment.kind != "source":
            return None
        from penstock.runtime import jobwire
        from penstock.runtime.worker.source.tray import Tray

        self._channel.learn(jobwire.ToWorker)
        return Tray(self._exchange, say=self._channel.say)

    def _make_resumption(self, surroundings: World) -> Optional[Resumption]:
        """Of any source: whether it takes `start` is known with its code, and until then has no effect."""
        if self._assignment.kind != "source":
            return None
        exchange = self._exchange
        return Resumption(
            self._assignment,
            guard=exchange.guard,
            clock=surroundings.clock,
            notice=exchange.notice,
            say=self._channel.say,
        )

    def _keep_position(self) -> None:
        if self._resumption is not None:
            self._resumption.keep()
        if self._tray is not None:
            self._tray.tell()

    def _sieve(self) -> Optional[Sieve]:
        if self._assignment.max_age is None and self._dedupe is None:
            return None
        return Sieve(self._context, clock=self._clock, dedupe=self._dedupe, yields=self._handler.yields)

    def _tear_down(self) -> Optional[BaseException]:
        """What teardown raised. It is told at the very end: all items are through, and stay so."""
        try:
            self._as_user(self._handler.teardown)
        except Exception as error:
            return error
        return None

    def _as_user(self, call: Callable[[], Any]) -> Any:
        """Run user code that handles no item."""
        self._exchange.guard.leave()
        try:
            return call()
        finally:
            self._exchange.guard.enter()

    def _fail(self, error: BaseException, *, permanent: bool) -> int:
        text = handler.user_traceback(error)
        sys.stderr.write(text)
        self._channel.say(control.Failed(handler.one_line(error), text, permanent))
        return 1
