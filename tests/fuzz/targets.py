"""Every reader of what somebody else has written, a wire or a file, in one table.

A target takes any bytes. It answers with a value, or raises what its docstring says it does; anything else is
a fault. A module that decodes and is in no row has to be in ``TRUSTED``, with the reason (see
``tests/house/test_decoders.py``).
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import shutil
import socket
import struct
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import msgspec
import numpy as np

from penstock import lockfile, sinks
from penstock.environments import lock
from penstock.errors import BrokerFault, EnvironmentFault, PeerError, PenstockError, UserError
from penstock.link import callwire, crate, near, noticeboard
from penstock.link.ear import Ear
from penstock.message import chunk, codec, envelope, head, letter, packing, parcel, recording, segment
from penstock.message.codec import Decoder, Encoder, join
from penstock.message.freight import Frames, Freight
from penstock.patterns import topics
from penstock.rabbitmq import asks, deliveries, letters, talk
from penstock.rabbitmq import frames as broker_frames
from penstock.rabbitmq.management import Management
from penstock.rabbitmq.message import Message
from penstock.runtime import client, control, hostwire, jobwire, queuewire
from penstock.runtime.agent import inquiry
from penstock.runtime.hosts import switchboard
from penstock.runtime.hosts.remote import FarLine
from penstock.runtime.supervisor import audience, journal, question
from penstock.runtime.supervisor.line import Line
from penstock.runtime.worker.channel import Channel, SupervisorForeign, SupervisorLost
from penstock.runtime.worker.order.floors import Floors
from penstock.runtime.worker.source.position import PositionFile
from penstock.runtime.worker.source.progress import Mark
from penstock.security import Keyring
from penstock.security.curve import new_pair
from penstock.security.gate import judge
from penstock.tasks import freight as arguments

Errors = tuple[type[BaseException], ...]
HEAP = Path(tempfile.mkdtemp(prefix="pf-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
"""Where files lie for the readers of files."""
atexit.register(shutil.rmtree, HEAP, ignore_errors=True)
pack = msgspec.msgpack.encode


class Target(NamedTuple):
    """One reader."""

    name: str
    read: Callable[[bytes], Any]
    seeds: Sequence[bytes]
    """What it does read: damaged, it is nearer to something that harms than bytes at random."""
    refuses: Errors
    """What it may raise."""
    modules: tuple[str, ...]
    """Whose decoders are reached by it."""
    traps: Sequence[bytes] = ()
    """What is built to harm this one, and is too seldom met by chance."""


def framed(message: Any) -> bytes:
    data = pack(message)
    return struct.pack("<I", len(data)) + data


def frames(data: bytes) -> list[bytes]:
    """Several of one: each begins with its length."""
    found: list[bytes] = []
    while data:
        found.append(data[1 : 1 + data[0]])
        data = data[1 + data[0] :]
    return found


DEEP = msgspec.Raw(b"\x91" * 50_000 + b"\xc0")
"""Lists in lists, for wherever anything may stand."""


def joined(*parts: bytes) -> bytes:
    return b"".join(bytes([len(part)]) + part for part in parts)


# -------------------------------------------------------------------------------------- message, link


def delivered_near(data: bytes) -> Any:
    """A packet of a call; its first byte says how many descriptors come with it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ear = Ear({})
    peer = near.Replica(ours, ear)
    errors: list[PeerError | None] = []
    peer.heard = lambda word, frames: None
    peer.gone = errors.append
    crates = [crate.made() for _ in range(data[0] % 4 if data else 0)]
    for each in crates:
        each.load([bytes(100)])
    socket.send_fds(theirs, [data[1:] or b"\xc1"], [each.fd for each in crates])
    peer.take()
    peer.close()
    theirs.close()
    ear.close()
    if errors and errors[0] is not None:
        raise errors[0]


VALUES = [1, "text", [1.5, None, {"a": b"raw"}], (1, {2}), np.arange(6.0), np.zeros((2, 3), "i1")]
BODY = join([Encoder(None).encode(value) for value in VALUES])


def body(data: bytes) -> Any:
    return Decoder().values(data)


NAMED = codec.Ext(codec.SLOT, pack(("<f8", "C", (2, 3), 64, 7)))


def carried(data: bytes) -> Any:
    """A body from another host, with one frame that is a slot there."""
    source = Freight()
    source.frames = Frames([bytes(48)], [(0, 64, 7)])
    return Decoder().values(data, source)


def unpacked(way: str, data: bytes) -> Any:
    """A frame from another host, behind how much it says it has unpacked."""
    size = int.from_bytes(data[:2], "big") or 10_000
    return packing.unpack(way, [size], [data[2:]], [way])


def manifest(data: bytes) -> Any:
    (HEAP / recording.MANIFEST).write_bytes(data)
    return recording.read(str(HEAP))


def recorded_chunk(data: bytes) -> Any:
    return chunk.find(memoryview(data), 0)


def sealed(data: bytes) -> bytes:
    """A file of a recording whose checksums are right: who means harm writes those too."""
    parts = chunk.lay(msgspec.Raw(data), b"\x01\x02", [], len(segment.MAGIC))  # type: ignore[arg-type]
    return segment.MAGIC + b"".join(map(bytes, parts))


def recorded_segment(data: bytes) -> Any:
    path = HEAP / "0.a.segment"
    path.write_bytes(sealed(data))
    found = segment.Segment(str(path))
    return [entry.value(Decoder()) for part in found.chunks() for entry in part.entries()]


RUN = [("src/0", 0, 2)]
LETTER = letter.Letter("a/0:1", "p", "s", "a→s", 1, 1, "ValueError: no", "", 1.5, BODY)
MANIFEST = recording.Manifest("p", "p-1", 1.5, [recording.LinkFacts(0, "a→b", "a", "b")])


# -------------------------------------------------------------------------------------------- runtime


class Still:
    """A loop that watches nothing."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments: None


def heard(words: Any) -> Callable[[bytes], Any]:
    """What a supervisor hears of a worker that says that, and whether it is nonsense."""

    def read(data: bytes) -> Any:
        loop, found = cast("asyncio.AbstractEventLoop", Still()), list[Any]()
        mine, other = socket.socketpair()
        with mine, other:
            line = Line(mine, loop=loop, on_message=found.append, on_nonsense=found.append, words=words)
            other.sendall(data[:60_000])
            other.close()
            while line._read():
                pass
        return found

    return read


def told(data: bytes) -> Any:
    """What a worker hears."""
    mine, other = socket.socketpair()
    with other:
        other.sendall(data[:60_000])
        other.close()
        channel = Channel(mine.detach())
        channel.learn(jobwire.ToWorker)
        try:
            return channel.receive()
        finally:
            channel.close()


def first(data: bytes) -> Any:
    mine, other = socket.socketpair()
    with other:
        other.sendall(data[:60_000])
        other.close()
        channel = Channel(mine.detach())
        try:
            return channel.first()
        finally:
            channel.close()


def split(data: bytes) -> Any:
    return control.split(bytearray(data))


def position(data: bytes) -> Any:
    file = PositionFile(str(HEAP), "s", 0, run="r")
    Path(file.path).parent.mkdir(exist_ok=True)
    Path(file.path).write_bytes(data)
    return file.read(also_of_others=True)


def positions() -> bytes:
    file = PositionFile(str(HEAP), "s", 0, run="r")
    Path(file.path).parent.mkdir(exist_ok=True)
    file.write(Mark(pack([1, "a"]), 3, {"0": 3}, "s/0"))
    return Path(file.path).read_bytes()


RUN_JSON = b'{"run": "a-1", "pipeline": "a", "pid": 1, "started": 1.5, "app": "", "state_dir": "/s"}'
HERE = client.Run("a-1", "a", 1, 1.5, "", "/s", str(HEAP))


def described(data: bytes) -> Any:
    """A run that is alive, and says that of itself."""
    (HEAP / "run.json").write_bytes(data)
    lock = lockfile.take(str(HEAP / "run.lock"))
    try:
        return client._read(str(HEAP))
    finally:
        lockfile.give_back(lock)


def floors(data: bytes) -> Any:
    (HEAP / "s.order").write_bytes(len(data).to_bytes(4, "little") + data)
    return Floors(str(HEAP), "s").known


def events(data: bytes) -> Any:
    path = Path(journal._path(str(HEAP), "r", journal._END))
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return list(journal.read(str(HEAP), "r"))


WORDS_UP = [
    control.Bound(7, "3.11"),
    control.Failed("ValueError: no", "Traceback"),
    control.Progress([control.Note("a/0:1", 0.5, {"loss": 0.1})]),
    control.Notice("warning", "text", {"a": 1}),
    jobwire.Worked("id", 1, "done", b"x"),
    jobwire.JobNote("id", 1, 0.5, {"loss": [1]}),
    queuewire.Told([1], [queuewire.Unfit(2, is_unusable=True, error="e", kinds=["E"], traceback="")], [3]),
]
WORDS_DOWN = [
    control.Connect(1, 2, "a/0", "ipc:///nowhere"),
    control.Gone(1, "a/0", "killed", control.Blame(1, 2, 3, 4)),
    control.Drain(),
    jobwire.Work("id", 1, "task", 1, 0, BODY, "", "", "", ""),
    queuewire.Given([queuewire.Piece(1, 2, "id", BODY, "")]),
]


# ------------------------------------------------------------------------------------------- security


def keys(name: str) -> Callable[[bytes], Any]:
    keyring = Keyring(HEAP / "keys")
    keyring.folder.mkdir(mode=0o700, exist_ok=True)

    def read(data: bytes) -> Any:
        path = keyring.folder / name
        path.touch(mode=0o600)
        path.write_bytes(data)
        return keyring.own if name == "own.key" else keyring.trusted

    return read


PAIR = new_pair()


def on_topic(data: bytes) -> Any:
    found, rest = noticeboard.read(frames(data) if data[:1] == b"+" else [data])
    return found, noticeboard.opened(parcel.Opener(), rest)


def listener(data: bytes) -> Any:
    _, asked = question.read(data)
    return audience._hearer(asked)


def subscribers_word(data: bytes) -> Any:
    return noticeboard.word([data])


HEAR = noticeboard.Hear(noticeboard.VERSION, "log/0", ["metrics.*"])
PUBLISHED = noticeboard.headed(noticeboard.Head("metrics.loss", 1), parcel.Packer().encode({"a": 1.5}))

# ------------------------------------------------------------------------------------------- patterns


def published(data: bytes) -> Any:
    found = topics.read(data)
    return parcel.Opener().value(data[found.size :])


def several(data: bytes) -> Any:
    return parcel.Opener().opened(frames(data))


# ------------------------------------------------------------------------------------------- RabbitMQ


def answered(data: bytes) -> Any:
    """Of the broker, of what was published; whoever reads it takes a broken frame for a broken connection."""
    found, rest = broker_frames.first(data)
    return found and (found.method, found.tag), rest


KINDS = (talk.Petition, talk.Orders, talk.Report, talk.Shown)
HEADERS = {"ps-task": "train", "ps-rules": '{"max_failures": 3}', "ps-submitted": 1, "ps-priority": -3}


def talked(kind: Any) -> Callable[[bytes], Any]:
    return lambda data: talk.decode(data, kind)


def lettered(data: bytes) -> Any:
    """A message whose properties are anything: keys and values of headers come decoded from the library."""
    try:
        said = msgspec.msgpack.decode(data, strict=False)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        said = {"ps-task": "t", "ps-rules": data.decode("latin-1")}
    made = Message(body=data, type=letters.TYPE, id="0" * 20, headers=said)
    return letters.opened(made, "r10s.gpu")


def delivered(data: bytes) -> Any:
    """In two parts, as a connection brings it."""
    sieve = deliveries.Deliveries()
    sieve.channels.add(1)
    half = len(data) // 2
    return sieve.sift(data[:half]), sieve.sift(data[half:]), sieve.ended()


def amqp(kind: int, payload: bytes) -> bytes:
    return struct.pack(">BHI", kind, 1, len(payload)) + payload + b"\xce"


DELIVERY = (
    amqp(1, b"\x00\x3c\x00\x3c\x01t" + struct.pack(">QB", 1, 0) + b"\x01e\x01k")
    + amqp(
        2, b"\x00\x3c\x00\x00" + struct.pack(">QH", 3, 0xA0A0) + b"\x01c" + b"\0\0\0\x06\x01aI\0\0\0\x01"[:10]
    )
    + amqp(3, b"abc")
)


def asked(data: bytes) -> Any:
    return asks.answer_of(asks.decode(data), data)


def each(*names: str) -> tuple[str, ...]:
    return tuple(f"penstock.{name}" for name in names)


JOBS = each("runtime.supervisor.line", "runtime.control")
NEVER: Errors = ()

HOSTS_UP = [
    hostwire.packed(hostwire.Join(1, "0", "h2", 2, ["gpu"], {"work": 1})),
    hostwire.packed(hostwire.Counted(7, 1 << 40, {1: 2}, 0.5, 1 << 20)),
    hostwire.packed(hostwire.Tallied(7, 1 << 40, [("log/0", "loss", [1, 1, 0, 0, 0, 0, 0, 0])])),
    hostwire.packed(hostwire.Calling(1 << 63, calls=True)),
    hostwire.packed(hostwire.Ended(7, -9, oom=True)),
    hostwire.packed(hostwire.Load("dead/1-work-2.letter", 0, 5, b"x")),
]
HOSTS_DOWN = [
    hostwire.packed(hostwire.Welcome(1, "r", "p", "h2", 10.0, b"", hostwire.Manifest({"0/a.py": "0"}, {}))),
    hostwire.packed(hostwire.Start(7, "work", 0, {"A": "b"})),
    hostwire.packed(hostwire.Speak(7, b"x")),
    hostwire.packed(hostwire.Listing(b"{}")),
]


def far(data: bytes) -> None:
    FarLine(lambda _: None, on_message=lambda _: None, on_nonsense=lambda _: None).take(data)


TARGETS = [
    Target(
        "envelope of a receiver",
        envelope.from_receiver,
        [
            framed(envelope.Hello(envelope.VERSION, 12, 3, "here", 0, 1 << 26)),
            framed(envelope.Settle([1, 2])),
        ],
        (PeerError,),
        each("message.envelope"),
    ),
    Target(
        "envelope of a sender",
        envelope.from_sender,
        [envelope.pack_batch(9, 1, RUN, [b"\x01", b"\xa1x"]), framed(envelope.End(3, 2, 1))],
        (PeerError,),
        each("message.envelope"),
    ),
    Target(
        "question of a caller on another host",
        inquiry.caller,
        [b'{"verb": "calls", "caller": 7}'],
        (PeerError,),
        each("runtime.agent.inquiry"),
    ),
    Target(
        "head of a message between hosts",
        lambda data: head.read([data, b""]),
        [head.pack(head.Head(head.WORD, 7, 3)), head.pack(head.Head(head.WORD, 7, 3, "x", [0, 9]))],
        (PeerError,),
        each("message.head"),
    ),
    *[
        Target(
            f"frame packed by {way}",
            functools.partial(unpacked, way),
            [bytes(2) + packing.pack(way, [bytes(10_000)])[0][0]],
            (PeerError,),
            each("message.packing"),
        )
        for way in packing.WAYS
    ],
    Target(
        "body of a batch from another host",
        carried,
        [pack([NAMED])],
        (PeerError, EnvironmentFault),
        each("message.freight"),
    ),
    Target(
        "body of a batch",
        body,
        [BODY],
        (PeerError, EnvironmentFault),
        each("message.codec", "message.arrays"),
        traps=[pack([DEEP]), pack([msgspec.msgpack.Ext(3, b"\x91" * 50_000)])],
    ),
    Target(
        "dead letter",
        lambda data: letter.parse(data, "x"),
        [pack(LETTER)],
        (PenstockError,),
        each("message.letter"),
    ),
    Target(
        "manifest of a recording",
        manifest,
        [msgspec.json.encode(MANIFEST)],
        (UserError,),
        each("message.recording"),
    ),
    Target(
        "chunk of a recording",
        recorded_chunk,
        [sealed(pack(chunk.Over(3)))[len(segment.MAGIC) :]],
        NEVER,
        each("message.chunk"),
    ),
    Target(
        "file of a recording",
        recorded_segment,
        [pack(chunk.About(1, "r", 0, "a/0", 1, 2)), pack(chunk.Sent(1, RUN, [1, 1], [], [], 0))],
        (PeerError, EnvironmentFault),
        each("message.chunk", "message.segment", "message.codec"),
    ),
    Target("control messages", split, [framed(control.Drain()) * 2], (ValueError,), each("runtime.control")),
    Target(
        "letter of a host",
        hostwire.opened,
        [hostwire.sealed(hostwire.Letter("t" * hostwire.TOKEN, 1, 1, 0, body=b"x"))],
        (PeerError,),
        each("runtime.hostwire"),
    ),
    Target(
        "what an agent says",
        hostwire.Reader(hostwire.FromAgent).read,
        HOSTS_UP,
        (PeerError,),
        each("runtime.hostwire"),
    ),
    Target(
        "what an agent hears",
        hostwire.Reader(hostwire.ToAgent).read,
        HOSTS_DOWN,
        (PeerError,),
        each("runtime.hostwire"),
    ),
    Target(
        "what a worker says elsewhere",
        far,
        [*map(control.frame, WORDS_UP[:3])],
        NEVER,
        each("runtime.hosts.remote"),
    ),
    Target("what a worker says", heard(control.ToSupervisor), [*map(control.frame, WORDS_UP)], NEVER, JOBS),
    Target(
        "what a worker of jobs says",
        heard(jobwire.ToSupervisor),
        [*map(control.frame, WORDS_UP)],
        NEVER,
        JOBS,
        traps=[control.frame(jobwire.JobNote("id", 1, 0.5, {"loss": DEEP}))],
    ),
    Target(
        "what a supervisor answers",
        lambda data: client._result(HERE, data),
        [b'{"ok": true, "result": {}}\n', b'{"ok": false, "error": "no", "code": 4}\n'],
        (PenstockError,),
        each("runtime.client"),
    ),
    Target("run.json", described, [RUN_JSON], NEVER, each("runtime.client")),
    Target(
        "what a broker's management answers",
        lambda data: Management._read(data, "http://here"),
        [b'{"a": [1]}'],
        (BrokerFault,),
        each("rabbitmq.management"),
    ),
    Target("line of a sink", sinks._id_in, [b'{"id": "a/0:1", "item": 1}\n'], NEVER, each("sinks")),
    Target(
        "what a supervisor says",
        told,
        [*map(control.frame, WORDS_DOWN)],
        (ValueError, SupervisorLost),
        each("runtime.worker.channel", "runtime.control"),
    ),
    Target(
        "what a supervisor says first",
        first,
        [*map(control.frame, WORDS_DOWN)],
        (ValueError, SupervisorLost, SupervisorForeign),
        each("runtime.worker.channel"),
    ),
    Target(
        "question on the control socket",
        question.read,
        [b'{"verb": "scale", "stage": "a", "replicas": 3}\n', b'{"verb": "wait", "timeout": 1e3}\n'],
        (ValueError,),
        each("runtime.supervisor.question"),
    ),
    Target(
        "question from another machine",
        lambda data: switchboard.opened([b"route", *frames(data)]),
        [joined(bytes(16), b'{"verb": "ps"}'), joined(bytes(16), b"")],
        (PeerError,),
        each("runtime.hosts.switchboard"),
    ),
    Target(
        "journal of a run",
        events,
        [b'{"n": 1, "event": "a"}\n' * 2],
        NEVER,
        each("runtime.supervisor.journal"),
    ),
    Target(
        "position of a source",
        position,
        [positions()],
        (EnvironmentFault,),
        each("runtime.worker.source.position"),
        traps=[pack({"run": "r", "position": pack(DEEP), "made": 1, "emitted": {}, "origin": ""})],
    ),
    Target(
        "floors of a stage",
        floors,
        [pack({"a": [1, 2]})],
        (EnvironmentFault,),
        each("runtime.worker.order.floors"),
    ),
    Target(
        "own key",
        keys("own.key"),
        [f"# c\npublic = {PAIR.public}\nsecret = {PAIR.secret}\n".encode()],
        (UserError,),
        each("security.keys"),
    ),
    Target(
        "trusted keys",
        keys("trusted"),
        [f"client  {PAIR.public}  laptop\n".encode()],
        (UserError,),
        each("security.keys"),
    ),
    Target(
        "request to the gate",
        lambda data: judge(frames(data), lambda domain, key: None),
        [joined(b"1.0", b"1", b"d", b"127.0.0.1", b"", b"CURVE", b"k" * 32)],
        NEVER,
        each("security.gate"),
    ),
    Target(
        "who listens from outside",
        listener,
        [b'{"verb": "hear", "ear": {"topics": ["a.*"], "last": true}, "depth": 9}'],
        (ValueError, TypeError, UserError),
        each("runtime.supervisor.audience"),
    ),
    Target(
        "value on a topic of a run",
        on_topic,
        [PUBLISHED, joined(PUBLISHED, b"x" * 40)],
        (PeerError, EnvironmentFault),
        each("link.noticeboard", "message.parcel"),
    ),
    Target(
        "word of a subscriber",
        subscribers_word,
        [pack(HEAR), pack(noticeboard.Done(3))],
        (PeerError,),
        each("link.noticeboard"),
    ),
    Target(
        "value of a plain socket",
        parcel.Opener().value,
        [Encoder(None).encode({"a": [1, np.arange(3)]}), b"\x01"],
        (PeerError, EnvironmentFault),
        each("message.parcel", "message.codec"),
    ),
    Target(
        "value built as a type",
        parcel.Opener(dict[str, int]).value,
        [pack({"a": 1})],
        (PeerError, EnvironmentFault),
        each("message.parcel", "message.shape"),
    ),
    Target(
        "frames of a plain socket",
        several,
        [joined(b"\x01", b"raw"), joined(b"", b"", pack(["ValueError", "no"])), joined(b"", b"bytes")],
        (PeerError, EnvironmentFault),
        each("message.parcel"),
    ),
    Target(
        "published value",
        published,
        [b"weather\0\x01", topics.stamped(b"weather", b"p" * 8, 7) + b"\xa1x"],
        (PeerError, EnvironmentFault),
        each("patterns.topics"),
    ),
    *(
        Target(
            f"{kind.__name__} over a broker",
            talked(kind),
            seeds,
            (letters.Unreadable,),
            each("rabbitmq.talk"),
        )
        for kind, seeds in zip(
            KINDS,
            (
                [pack({"sender": "s", "words": []})],
                [pack({"words": []})],
                [pack({"sender": "s", "words": []})],
                [pack({"question": "reply.a b", "piece": None})],
            ),
            strict=True,
        )
    ),
    Target(
        "job over a broker",
        lettered,
        [pack(HEADERS), b'{"max_failures": 3, "timeout": 2.5}'],
        (letters.Unreadable,),
        each("rabbitmq.letters"),
    ),
    Target(
        "packet of a call",
        delivered_near,
        [
            b"\1\xc1" + pack(near.Freight(1, [30, 70], b"word")),
            b"\1\xc1" + pack(near.Freight(1, [30, 0], b"")),
            b"\0" + pack(callwire.Cancel([1, 2])),
        ],
        (PeerError,),
        each("link.near"),
        [b"\1\xc1" + pack(near.Freight(1, [-1, 2**62], b"word"))],
    ),
    Target(
        "what a caller says",
        callwire.from_caller,
        [
            pack(callwire.Call(1, 1, 2.5, callwire.body(b"\x01"))),
            pack(callwire.Cancel([1, 2])),
        ],
        (PeerError,),
        each("link.callwire"),
    ),
    Target(
        "what a service says",
        callwire.from_replica,
        [pack(callwire.Answer(1, 1, callwire.body(b"\x01"))), pack(callwire.Leaving())],
        (PeerError,),
        each("link.callwire"),
    ),
    Target(
        "answers of a broker",
        answered,
        [amqp(1, b"\x00\x3c\x00\x50" + struct.pack(">QB", 1, 0))],
        (ValueError, struct.error),
        each("rabbitmq.frames"),
    ),
    Target("frames of a broker", delivered, [DELIVERY], NEVER, each("rabbitmq.deliveries")),
    Target(
        "request to the hub",
        asked,
        [asks.encode(asks.Find("a"))],
        (letters.Unreadable, UserError, EnvironmentFault, PeerError),
        each("rabbitmq.asks"),
    ),
    Target(
        "arguments of a job",
        arguments.call,
        [arguments.packed([[1], {"a": 2}]), arguments.packed([[np.arange(3)], {}])],
        (PeerError, EnvironmentFault),
        each("tasks.freight", "message.codec"),
    ),
    Target(
        "whether a job waits for others",
        arguments.lacks_results,
        [arguments.packed([[1], {"a": 2}, "x", True])],
        (PeerError, EnvironmentFault),
        each("tasks.freight"),
    ),
    Target(
        "penstock.lock",
        lambda data: lock.parse(data.decode("utf-8", "replace"), "penstock.lock"),
        [b'version = 1\n[envs.a]\npython = "3.11"\n'],
        (PenstockError,),
        each("environments.lock"),
    ),
]

TRUSTED = {
    "bench": "reads what its own trial has written",
    "cli": "how the last run ended, from the state directory, of this user's",
    "config": "penstock.toml is this user's, as the code beside it is",
    "environments": "what the user describes, as the code; a cache of mode 0700; helpers of ours",
    "observe.tally": "counts mapped by processes of this user, in the run directory",
    "runtime.agent.quarters": "what an earlier agent of this user has left in its folder of mode 0700",
    "runtime.audience": "what our own supervisor answers, on a socket of mode 0700",
    "message.arena": "words of a mapped arena, whose descriptors test_hostile fuzzes",
    "message.pickles": "opened only where allow_pickle is said",
    "runtime.calls.directory": "what this user's own supervisor says on the control socket",
    "runtime.guest.debugger": "its own command line, written by the command that starts it",
    "runtime.supervisor.reloader": "what `penstock graph` prints, run by itself",
    "runtime.supervisor.versions": "what `penstock deploy` of this user says, on this machine alone",
    "tasks.rows": "the store of jobs is this user's, of mode 0700",
    "tasks.timetable": "as tasks.rows",
    "tasks.transit": "as tasks.rows",
    "testing": "how a run ended that it has started itself",
}
"""Modules and rooms that decode what none but this user, and no message, can have written."""
"""Modules that decode what none but this user, and no message, can have written."""


def bombs() -> Iterator[tuple[str, bytes]]:
    """What is small and says that it is large, or deep."""
    deep, huge = 50_000, b"\xff\xff\xff\xff"
    yield "lists in lists", b"\x91" * deep
    yield "maps in maps", b"\x81\xa1a" * (deep // 3)
    yield "brackets", b"[" * deep
    yield "braces", b'{"a":' * (deep // 5)
    yield "TOML brackets", b"version = 1\na = " + b"[" * deep
    for name, kind in (
        ("a list", 0xDD),
        ("a map", 0xDF),
        ("bytes", 0xC6),
        ("text", 0xDB),
        ("an extension", 0xC9),
    ):
        for inside in (b"", b"\x91", b"\x82\xa1a", b"\xa1a"):
            data = inside + bytes([kind]) + huge + b"\x05"
            yield f"{name} of four billion in {inside!r}", data
            yield f"{name} of four billion in {inside!r}, framed", struct.pack("<I", len(data)) + data
    yield "a length of four billion", huge * 4
    yield "a long number", b"1" * deep
    yield "a long number in JSON", b'{"verb": ' + b"9" * deep + b"}"
    yield "zeros", bytes(deep)
    for inside in (b"[" * deep, b"\x91" * deep):
        yield "depth, framed", struct.pack("<I", len(inside)) + inside
