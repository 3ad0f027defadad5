"""Which of the items that have come may be begun, so that each source's come in its order. A decision module.

For each root (what one source makes: ``camera/0``) every in-link that it leads to has a ``Course``: how far
that link has told what becomes of its ids. An item may be begun when all ids before it are told on all of
these links, and what arrived of them has been begun; one that failed has to come again, or be passed, before
any behind it.

The first word about an id holds. What comes when its place has gone by is a repeat, if it was begun here: its
maker died before it heard. Else it was passed once and somebody made it after all (a dead letter that was put
back): that is begun as it comes.
"""

from __future__ import annotations

import heapq
import itertools
from bisect import bisect_right
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Tuple

from penstock.link.course import END, Course, Path

MEMORY = 1 << 16
"""Runs of ids for which it is known that they were begun. A source is never so many items ahead of what is
settled, so nothing older comes again."""

Place = Tuple[Path, int]
"""Where an item stands in the order of a root: its path, and of equal paths by which link it came."""


class Name(NamedTuple):
    """An origin, taken apart: ``camera/0+1:rejected:17`` is ``(17,)`` below the root of port ``rejected``."""

    root: str
    prefix: Path
    seat: str
    """``camera/0``"""
    incarnation: int
    source: str
    """``camera``, or ``camera:rejected``: what in-links are asked for."""
    foreign: bool
    """It was made in another run (a dead letter that was put back), and has no place in this one's order."""


def name(origin: str) -> Name:
    """What an origin says."""
    label, *rest = origin.split(":")
    port = ""
    if rest and not rest[0].isdecimal():
        port = f":{rest.pop(0)}"
    turn, _, of_turn = label.partition("~")  # 2~camera/0: a recording that is played for the second time
    own, _, run = (of_turn if turn.isdecimal() else label).partition("~")
    seat, _, incarnation = own.partition("+")
    source = seat.rpartition("/")[0] + port
    return Name(label + port, tuple(map(int, rest)), seat, int(incarnation or 0), source, bool(run))


class Span(NamedTuple):
    """From where to where the ids of a batch stand in the order of a root."""

    root: str
    first: Path
    last: Path
    """With all that could be made from the last of them: it may come as a whole by this link and in parts by
    another. Was it settled amid those parts, a successor would wait for parts of it here, too."""


class Segment(NamedTuple):
    """Neighbouring items of one batch; ordered by where they stand."""

    path: Path
    """Of the first."""
    link: int
    serial: int
    items: int
    token: Any
    """The batch."""
    place: int
    """In it, of the first."""
    root: str
    again: bool
    """It is not its first delivery."""
    repeat: bool = False
    """It was begun before, and is not to be begun again."""

    def path_at(self, index: int) -> Path:
        """Of the ``index``-th of them."""
        return (*self.path[:-1], self.path[-1] + index)

    def part(self, start: int, count: int) -> Segment:
        """Some of them."""
        return self._replace(path=self.path_at(start), place=self.place + start, items=count)


class Row:
    """All that is known of one root."""

    def __init__(self, at: Path, links: Iterable[int]) -> None:
        self.courses = {link: Course(at) for link in links}
        self.held: List[Segment] = []
        """What has come and is not begun; a heap."""
        self.items = 0
        """How many items these are."""
        self.failed: List[Place] = []
        """Begun and not finished: they have to come again. Sorted."""
        self.undone: set[Place] = set()
        """Of all that ever failed those that have not been finished since."""
        self.free = False
        """Nobody is waited for any more, and that was said."""
        self._last: Place = (at, -1)
        self._base = at
        self._begun: List[Tuple[Path, int, int]] = []
        """Runs in ascending order: the first path, the link, and the number behind the last."""

    @property
    def floor(self) -> Path:
        """Everything that comes from now on and is not yet known stands here or behind."""
        floor = min(course.at for course in self.courses.values())
        return min(floor, self.failed[0][0]) if self.failed else floor

    def hold(self, segment: Segment) -> None:
        """It has come."""
        heapq.heappush(self.held, segment)
        self.items += segment.items

    def take(self, most: int) -> Optional[Segment]:
        """The items to begin next, ``most`` at most; None: others have to come first."""
        if not self.held:
            return None
        first = self.held[0]
        late = (first.path, first.link) <= self._last
        count = self._ready(first, 1 if late else min(most, first.items))
        if not count:
            return None
        heapq.heappop(self.held)
        if self.held and count > 1:
            other = self.held[0]
            count = max(1, _before(first, (other.path, other.link), count))
        if count < first.items:
            heapq.heappush(self.held, first.part(count, first.items - count))
        self.items -= count
        taken = first.part(0, count)
        return self._judge(taken) if late else self._begin(taken)

    def again(self, segment: Segment, index: int) -> None:
        """The call of that one of them failed."""
        place = (segment.path_at(index), segment.link)
        if place not in self.failed:
            self.failed.append(place)
            self.failed.sort()
        self.undone.add(place)

    def passed(self, link: int, prefix: Path, first: int, end: int) -> None:
        """These never arrive by that link."""
        self.courses[link].tell(prefix, first, end)
        if self.failed:
            low, high = (*prefix, first), (*prefix, end)
            self.failed = [(path, by) for path, by in self.failed if by != link or not low <= path < high]

    def _ready(self, segment: Segment, count: int) -> int:
        """How many of its first ``count`` items may be begun as far as others are concerned."""
        for link, course in self.courses.items():
            count = _before(segment, (course.at, link if link != segment.link else -1), count)
            if not count:
                return 0
        if self.failed:
            path, link = self.failed[0]
            count = _before(segment, (path, link + 1), count)
        return count

    def _judge(self, segment: Segment) -> Segment:
        """One whose place has gone by."""
        place = (segment.path, segment.link)
        if place in self.undone:
            self.undone.discard(place)
            self.failed = [each for each in self.failed if each != place]
            return segment
        known = self._was_begun(place) or (segment.again and segment.path < self._base)
        return segment._replace(repeat=known)

    def _begin(self, segment: Segment) -> Segment:
        """One whose place it is."""
        end = segment.path[-1] + segment.items
        path, link, reached = self._begun[-1] if self._begun else ((), -1, -1)
        if link == segment.link and reached == segment.path[-1] and path[:-1] == segment.path[:-1]:
            self._begun[-1] = (path, link, end)
        else:
            self._begun.append((segment.path, segment.link, end))
            if len(self._begun) >= 2 * MEMORY:
                del self._begun[:MEMORY]
        self._last = (segment.path_at(segment.items - 1), segment.link)
        return segment

    def _was_begun(self, place: Place) -> bool:
        path, link = place
        found = bisect_right(self._begun, (path, link, END)) - 1
        if found < 0:
            return False
        first, by, end = self._begun[found]
        return by == link and first[:-1] == path[:-1] and path[-1] < end


def _before(segment: Segment, bound: Place, count: int) -> int:
    """How many of the first ``count`` items of the segment stand before ``bound``."""
    path, link = bound
    prefix = segment.path[:-1]
    depth = len(prefix)
    if len(path) > depth and path[:depth] == prefix:
        deeper = len(path) > depth + 1 or segment.link < link
        return max(0, min(count, path[depth] + deeper - segment.path[-1]))
    return count if segment.path < path else 0


class Sequencer:
    """All roots of one worker."""

    def __init__(
        self, roots: Dict[int, Iterable[str]], *, floors: Dict[str, Path], notice: Callable[[str, int], None]
    ) -> None:
        """``roots``: the sources (and their ports) that lead to each in-link. ``floors``: where a worker
        before this one has come to, by root. ``notice(root, items)``: so many are begun though others before
        them will not come."""
        self._roots = {link: set(sources) for link, sources in roots.items()}
        self._floors = floors
        self._notice = notice
        self._serials = itertools.count()
        self._names: Dict[str, Name] = {}
        self.rows: Dict[str, Row] = {}

    @property
    def held(self) -> int:
        """Items that have come and are not begun."""
        return sum(row.items for row in self.rows.values())

    def arrive(
        self, link: int, token: Any, ids: Iterable[Tuple[str, int, int]], *, again: bool = False
    ) -> List[Span]:
        """A batch of items has come, ``again`` or for the first time; where they stand."""
        index = 0
        spans: List[Span] = []
        for origin, first, count in ids:
            where = self._name(origin)
            row = self._row(where, link)
            path = (*where.prefix, first)
            row.hold(Segment(path, link, next(self._serials), count, token, index, where.root, again))
            row.courses[link].tell(where.prefix, first, first + count)
            spans.append(Span(where.root, path, (*where.prefix, first + count - 1, END)))
            index += count
        return spans

    def passed(self, link: int, ids: Iterable[Tuple[str, int, int]]) -> List[Span]:
        """These never arrive by that link; where they would have stood."""
        spans: List[Span] = []
        for origin, first, count in ids:
            where = self._name(origin)
            if not count and not where.prefix:
                self._close(where)
                continue
            end = first + count if count else END
            self._row(where, link).passed(link, where.prefix, first, end)
            spans.append(Span(where.root, (*where.prefix, first), (*where.prefix, end - 1, END)))
        return spans

    def take(self, most: int) -> Optional[Segment]:
        """What is to be begun next; None: nothing may be."""
        for row in self.rows.values():
            found = row.take(most)
            if found is not None:
                return found
        return None

    def again(self, segment: Segment, index: int) -> None:
        """The call of one of these failed."""
        self.rows[segment.root].again(segment, index)

    def put_back(self, segment: Segment) -> None:
        """These were not begun after all."""
        row = self.rows[segment.root]
        row.undone.update((segment.path_at(index), segment.link) for index in range(segment.items))
        row.hold(segment)

    def finish(self) -> None:
        """Nothing more will come: what is held may be begun."""
        for root in self.rows:
            self._let_go(root)

    def _let_go(self, root: str) -> None:
        row = self.rows[root]
        row.failed.clear()
        for course in row.courses.values():
            course.finish()
        if row.items and not row.free:
            row.free = True
            self._notice(root, row.items)

    def _close(self, where: Name) -> None:
        """That incarnation of a source, and those before it, have ended in the middle of what they made."""
        for root in list(self.rows):
            other = name(f"{root}:0")
            if other.seat == where.seat and other.incarnation <= where.incarnation and not other.foreign:
                self._let_go(root)

    def _name(self, origin: str) -> Name:
        found = self._names.get(origin)
        if found is None:
            if len(self._names) > 4096:
                self._names.clear()
            found = self._names[origin] = name(origin)
        return found

    def _row(self, where: Name, link: int) -> Row:
        row = self.rows.get(where.root)
        if row is None:
            links = {each for each, sources in self._roots.items() if where.source in sources}
            at = (END,) if where.foreign else self._floors.pop(where.root, (0,))
            row = Row(at, sorted(links | {link}))
            self.rows[where.root] = row
        return row
