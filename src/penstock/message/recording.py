"""A recording: a folder with what went by some links of a pipeline, and what is known of it.

    <folder>/recording.json             which run and links, and how the recording ended
    <folder>/<link>.<worker>.segment    what one worker has sent by one link (see ``segment``)

Written by the workers, and ``recording.json`` by their supervisor: at the beginning, and again when every
writer has said that it is through, or is dead. A folder that does not say so is not complete.
"""

from __future__ import annotations

import heapq
import os
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Set, Union

import msgspec

from penstock.errors import PeerError, UserError
from penstock.message import segment
from penstock.message.codec import Decoder
from penstock.message.known import Known
from penstock.message.segment import Entry, Segment

MANIFEST = "recording.json"
SCHEMA = "penstock.recording/1"


class LinkFacts(msgspec.Struct, frozen=True):
    """A link that is recorded."""

    id: int
    label: str
    """``camera→detect``."""
    source: str
    target: str
    port: str = ""


class Manifest(msgspec.Struct, frozen=True):
    """What is known of a recording besides what went by."""

    pipeline: str
    run: str
    began: float
    """Seconds since 1970."""
    links: List[LinkFacts]
    from_start: bool = False
    """It began with the run."""
    to_end: bool = False
    """It ended with the run."""
    ended: Optional[float] = None
    failure: str = ""
    """Why it ended before it should."""
    died: List[int] = []
    """Workers that were killed meanwhile, by their numbers. What they had sent is there all the same."""
    closed: List[str] = []
    """The files that are whole: they have an end. One that is missing is missed."""
    schema: str = SCHEMA


class _Versioned(msgspec.Struct, frozen=True):
    """What every version has."""

    schema: str


def write(folder: str, manifest: Manifest) -> None:
    """Put the manifest there, in the place of the one before.

    Raises:
        OSError: it could not be written.
    """
    path = os.path.join(folder, MANIFEST)
    with open(path + ".draft", "wb") as file:
        file.write(msgspec.json.encode(manifest))
        file.flush()
        os.fsync(file.fileno())
    os.rename(path + ".draft", path)


def read(folder: str) -> Manifest:
    """The manifest that is there.

    Raises:
        UserError: there is none, or it is of another version.
    """
    try:
        with open(os.path.join(folder, MANIFEST), "rb") as file:
            data = file.read()
        schema = msgspec.json.decode(data, type=_Versioned).schema
        if schema != SCHEMA:
            raise UserError(f"{folder} is a {schema}; this Penstock reads {SCHEMA}, so open it with another")
        return msgspec.json.decode(data, type=Manifest)
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"there is no recording {folder}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{folder} is no recording that this Penstock can read: {error}") from None


class Recorded(NamedTuple):
    """One item of a recording."""

    id: str
    """``camera/0:17``."""
    time: float
    """When it went out: seconds since 1970."""
    value: Any


class Track:
    """What went by one link: iterate over it for ``Recorded`` items.

    Those of one worker come in the order in which it sent them, those of several by the time at which they
    went out. An item that was sent again, because a worker had died, is there once.

    Attributes:
        label: ``camera→detect``.
        source: The stage that sent.
        target: The stage it was sent to.
        port: The output of ``source``; empty for the default one.
    """

    def __init__(self, facts: LinkFacts, segments: List[Segment], decoder: Decoder) -> None:
        self.label = facts.label
        self.source = facts.source
        self.target = facts.target
        self.port = facts.port
        self._segments = segments
        self._decoder = decoder
        self._summary: Optional[Summary] = None

    def __iter__(self) -> Iterator[Recorded]:
        for entry in self.entries():
            yield self.open(entry)

    def __len__(self) -> int:
        return self.summary.items

    def __repr__(self) -> str:
        return f"<track {self.label}, {len(self)} items>"

    @property
    def summary(self) -> Summary:
        """How many items, and how large; read once from end to end, without the arrays."""
        if self._summary is None:
            self._summary = _summary(self.entries())
        return self._summary

    @property
    def origins(self) -> Set[str]:
        """The ids of its items without their last numbers; read without the items."""
        return {run[0] for each in self._segments for chunk in each.chunks() for run in chunk.sent.ids}

    def entries(self) -> Iterator[Entry]:
        """The items where they lie, each id once."""
        known = Known()
        for chunk in heapq.merge(*(each.chunks() for each in self._segments), key=lambda one: one.sent.at):
            new = [known.add(*run) for run in chunk.sent.ids]
            if sum(map(_count, new)) == len(chunk.sent.sizes):
                yield from chunk.entries()
                continue
            wanted = {
                (run[0], number)
                for run, parts in zip(chunk.sent.ids, new)
                for part in parts
                for number in part
            }
            yield from (entry for entry in chunk.entries() if (entry.origin, entry.number) in wanted)

    def open(self, entry: Entry) -> Recorded:
        """The item that lies there.

        Raises:
            PeerError: it was damaged, or is a pickle and ``allow_pickle`` was not said.
            EnvironmentFault: a library that it needs is missing here.
        """
        return Recorded(entry.id, entry.at / 1e9, entry.value(self._decoder))


def _count(parts: List[range]) -> int:
    return sum(map(len, parts))


class Summary(NamedTuple):
    """Of one link."""

    items: int
    nbytes: int
    first: Optional[float]
    """When the first item went out: seconds since 1970; None: none did."""
    last: Optional[float]


def _summary(entries: Iterator[Entry]) -> Summary:
    items = nbytes = 0
    first = last = None
    for entry in entries:
        items += 1
        nbytes += entry.nbytes
        last = entry.at / 1e9
        first = last if first is None else first
    return Summary(items, nbytes, first, last)


class Recording:
    """What `penstock record` has kept: a mapping of links to what went by them.

    ::

        recording = Recording("rec.pst")
        for id, time, value in recording["camera->detect"]:
            print(id, value.shape)

    Arrays in it are read-only views of the files, read when they are looked at.

    Attributes:
        path: The folder.
        pipeline: The name of the pipeline.
        began: When it began: seconds since 1970.
        ended: When it ended; None: it was not closed.
        missing: Why there may be less in it than went by, in one sentence; empty when there is all.
    """

    def __init__(self, path: Union[str, os.PathLike[str]], *, allow_pickle: bool = False) -> None:
        """Look what is there.

        Args:
            path: The folder.
            allow_pickle: Whether pickles in it are opened: then only one that you trust.

        Raises:
            UserError: there is no recording.
        """
        self.path = os.fspath(path)
        self.manifest = read(self.path)
        self.pipeline = self.manifest.pipeline
        self.began = self.manifest.began
        self.ended = self.manifest.ended
        decoder = Decoder(allow_pickle=allow_pickle)
        segments = _segments(self.path)
        self._tracks: Dict[str, Track] = {
            facts.label: Track(facts, segments.get(facts.id, []), decoder) for facts in self.manifest.links
        }
        self.missing = _missing(self.manifest, [each for one in segments.values() for each in one])

    @property
    def first(self) -> int:
        """When the first of all its items went out: ns since 1970."""
        begins = (next(track.entries(), None) for track in self._tracks.values())
        return min((entry.at for entry in begins if entry is not None), default=0)

    @property
    def complete(self) -> bool:
        """Whether all that went by its links, from its beginning to its end, is in it."""
        return not self.missing

    def __iter__(self) -> Iterator[str]:
        return iter(self._tracks)

    def __len__(self) -> int:
        return len(self._tracks)

    def __contains__(self, link: object) -> bool:
        return isinstance(link, str) and _name(link) in self._tracks

    def __getitem__(self, link: str) -> Track:
        """What went by that link, ``"camera->detect"``.

        Raises:
            UserError: it is not recorded.
        """
        if link not in self:
            raise UserError(f"{self.path} has no link {link!r}; it has {', '.join(self._tracks)}")
        return self._tracks[_name(link)]

    def __repr__(self) -> str:
        whole = "" if self.complete else ", not complete"
        return f"<recording {self.path} of {self.pipeline}, {len(self)} links{whole}>"

    @property
    def tracks(self) -> List[Track]:
        """All of them."""
        return list(self._tracks.values())


def _name(link: str) -> str:
    return link.replace("->", "→")


def _segments(folder: str) -> Dict[int, List[Segment]]:
    """By link. One of which not even the beginning was written has nothing in it, as nothing was sent."""
    found: Dict[int, List[Segment]] = {}
    for name in sorted(os.listdir(folder)):
        if name.endswith(segment.SUFFIX):
            one = _segment(os.path.join(folder, name))
            if one.about is not None:
                found.setdefault(one.about.link, []).append(one)
    return found


def _segment(path: str) -> Segment:
    try:
        return Segment(path)
    except (PeerError, OSError) as error:
        raise UserError(str(error)) from None


def _missing(manifest: Manifest, segments: List[Segment]) -> str:
    """Why there may be less than went by."""
    if manifest.failure:
        return manifest.failure
    if manifest.ended is None:
        return "it was not closed: it still goes on, or the run was killed"
    found = {os.path.basename(each.path): each for each in segments}
    for name in manifest.closed:
        if name not in found:
            return f"{name} is not there, or its beginning was damaged"
    for name, each in found.items():
        for _ in each.chunks():
            pass
        killed = each.about is None or each.about.number in manifest.died
        if each.damaged or (each.end is None and not killed):
            return f"{name} has no end: it was cut, or damaged"
    return ""
