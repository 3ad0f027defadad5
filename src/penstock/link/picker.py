"""Which replica gets the next call. A decision module: no clock, no socket.

A caller may have as many calls at a replica as its window says. Among those with room, the least loaded gets
the call: by what we have there, and what others had there when it last answered. Where a service has two
versions, each gets its share: every pick adds its share to each version's account and takes one from the
account of the version that was chosen, so the counts never stray from the shares by more than a few calls.
The version that is named first is the older one. What the newer has no room for goes to the older; what the
older has no room for waits, so that under load, too, the newer has no more than its share.
"""

from __future__ import annotations

from typing import Dict, Iterable, List, Mapping, Optional, Tuple

BELIEVED = 16
"""Calls of ours for which a replica is believed what it said of others: whom nobody calls says no more."""
DEEPEST = 4.0
"""Calls by which an account may be behind or ahead: where a version had no room, no more is made up for."""


class Replica:
    """One replica, as a caller sees it."""

    __slots__ = ("held", "number", "open", "others", "told", "turn", "version", "window")

    def __init__(self, number: int, version: str, window: int) -> None:
        self.number = number
        self.version = version
        self.window = window
        self.held = 0
        """Calls of ours that it has not answered."""
        self.others = 0
        """Calls of others that it had when it last answered."""
        self.told = 0
        """When that was, in our calls."""
        self.turn = 0
        """When it was picked last: of two alike the one that has waited longer."""
        self.open = True
        """It takes calls."""


class Picker:
    """The replicas of one service, and how many calls each has of ours."""

    def __init__(self) -> None:
        self._replicas: Dict[int, Replica] = {}
        self._shares: Dict[str, float] = {}
        self._accounts: Dict[str, float] = {}
        self._turns = 0

    def __contains__(self, number: object) -> bool:
        return number in self._replicas

    @property
    def numbers(self) -> Iterable[int]:
        """Those that are there."""
        return list(self._replicas)

    @property
    def room(self) -> int:
        """How many calls of ours all of them together may hold."""
        return sum(each.window for each in self._replicas.values() if each.open)

    @property
    def held(self) -> int:
        """How many they do hold."""
        return sum(each.held for each in self._replicas.values())

    def add(self, number: int, version: str, window: int) -> None:
        """Another replica."""
        self._replicas[number] = Replica(number, version, window)

    def remove(self, number: int) -> None:
        """It is no more."""
        self._replicas.pop(number, None)

    def close(self, number: int) -> None:
        """It takes no more calls, but answers those that it has."""
        if replica := self._replicas.get(number):
            replica.open = False

    def share(self, shares: Mapping[str, float]) -> None:
        """From now on each version gets this part of the calls; 0, or not named: none."""
        if dict(shares) != self._shares:
            self._shares = dict(shares)
            self._accounts = dict.fromkeys(shares, 0.0)

    def taken(self, number: int) -> None:
        """A call has gone there."""
        replica = self._replicas[number]
        replica.held += 1
        self._turns = replica.turn = self._turns + 1

    def freed(self, number: int, load: int) -> None:
        """It has answered one, and says that it holds ``load`` of everybody."""
        if replica := self._replicas.get(number):
            replica.held = max(0, replica.held - 1)
            replica.others = max(0, load - replica.held)
            replica.told = self._turns

    def version(self, number: int) -> str:
        """Of one that is there."""
        return self._replicas[number].version

    def pick(self, version: str = "") -> Optional[int]:
        """The replica for the next call; ``None``: nobody has room. Counts as a call for its version.
        ``version``: rather one of that, at no expense of its share."""
        if version and (found := self._least(version)) is not None:
            return found.number
        if len(self._shares) == 1:
            (version,) = self._shares
            found = self._least(version)
            return None if found is None else found.number
        return self._by_share()

    def _by_share(self) -> Optional[int]:
        accounts = {
            version: min(DEEPEST, self._accounts.get(version, 0.0) + share)
            for version, share in self._shares.items()
            if share > 0
        }
        for version in sorted(accounts, key=accounts.__getitem__, reverse=True):
            found = self._least(version)
            if found is not None:
                accounts[version] = max(-DEEPEST, accounts[version] - 1.0)
                self._accounts = accounts
                return found.number
            if version == next(iter(accounts)) and any(map(_is_open, self._of(version))):
                return None  # the older has no room: the newer is not to have more for it
        return None

    def _of(self, version: str) -> List[Replica]:
        return [each for each in self._replicas.values() if each.version == version]

    def _weight(self, replica: Replica) -> Tuple[int, int]:
        others = replica.others if self._turns - replica.told < BELIEVED else 0
        return replica.held + others, replica.turn

    def _least(self, version: str) -> Optional[Replica]:
        found: Optional[Replica] = None
        for each in self._replicas.values():
            if not each.open or each.held >= each.window or each.version != version:
                continue
            if found is None or self._weight(each) < self._weight(found):
                found = each
        return found


def _is_open(replica: Replica) -> bool:
    return replica.open
