"""Which receiver gets which keys. A decision module: no sockets, no clock.

Keys fall into ``SHARDS`` shards by a hash that is the same in every process and every Python. A shard
belongs to the replica with the highest weight for it (rendezvous hashing): when a replica comes, it takes
from each of the others only what is now its own; when one goes, only what it had moves.

Replicas that are still to come have their shards from the beginning, so that a pipeline's start moves none.

A shard moves no sooner than whoever was sent items of it has finished them, or is dead: until then it has
no home, and what comes for it waits. So no two receivers ever hold unfinished items of one key.
"""

from __future__ import annotations

import operator
import zlib
from typing import Any, Dict, Iterable, NamedTuple, Optional

SHARDS = 4096
"""Keys are not remembered one by one: there may be millions. So many shares are even enough for hundreds of
replicas, and few enough to be looked through when one comes or goes."""

_WORD = (1 << 64) - 1


def shard(key: Any) -> int:
    """The shard of a key; keys that are equal (``1``, ``1.0``, ``True``) have the same.

    Raises:
        TypeError: it is no text, bytes, number, None, or tuple of these.
    """
    data = _canonical(key)
    # A CRC is the same everywhere and quick; multiplied, its neighbours lie apart.
    return (zlib.crc32(data) * 0x9E3779B1 & 0xFFFFFFFF) * SHARDS >> 32


def _canonical(key: Any) -> bytes:
    if isinstance(key, str):
        return b"s" + str(key).encode("utf-8", "surrogatepass")
    if isinstance(key, (bytes, bytearray)):
        return b"b" + bytes(key)
    if key is None:
        return b"n"
    if isinstance(key, tuple):
        parts = [_canonical(part) for part in key]
        return b"t" + b"".join(b"%d:%s" % (len(part), part) for part in parts)
    if isinstance(key, float):
        return b"i%d" % int(key) if key.is_integer() else b"f" + repr(float(key)).encode()
    return b"i%d" % operator.index(key)


def weight(shard: int, replica: int) -> int:
    """How much a replica is the one for a shard: 64 bits that look like chance (the mixing of splitmix64)."""
    mixed = (shard << 32 ^ replica) + 0x9E3779B97F4A7C15 & _WORD
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & _WORD
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _WORD
    return mixed ^ mixed >> 31


class Home(NamedTuple):
    """Whose a shard is."""

    weight: int
    receiver: int


class _Held:
    """Items of one shard that a receiver has not finished."""

    __slots__ = ("items", "receiver")

    def __init__(self, receiver: int) -> None:
        self.receiver = receiver
        self.items = 0


class Affinity:
    """The receivers of one link with a key, and what each was sent of which shard."""

    def __init__(self, expected: int = 0) -> None:
        """``expected``: so many replicas, from 0, will join; until then their shards have no home."""
        self._absent = {replica: -1 - replica for replica in range(expected)}
        self._replicas = {absent: replica for replica, absent in self._absent.items()}
        self._homes: Dict[int, Home] = {}
        self._held: Dict[int, _Held] = {}

    def join(self, receiver: int, replica: int) -> float:
        """A receiver takes part from now on; the share of the shards in use that others lose to it."""
        absent = self._absent.pop(replica, None)
        if absent is not None:
            self.close(absent)
        self._replicas[receiver] = replica
        moved = 0
        for shard, home in self._homes.items():
            mine = Home(weight(shard, replica), receiver)
            if mine > home:
                self._homes[shard] = mine
                moved += 1
        return moved / len(self._homes) if moved else 0.0

    def close(self, receiver: int) -> float:
        """It is to be sent nothing more, but finishes what it has; the share of the shards in use it had."""
        if self._replicas.pop(receiver, None) is None:
            return 0.0
        mine = [shard for shard, home in self._homes.items() if home.receiver == receiver]
        share = len(mine) / len(self._homes) if mine else 0.0
        for shard in mine:
            del self._homes[shard]
        return share

    def leave(self, receiver: int) -> float:
        """It is dead; what it held of any shard, it holds no longer. Answers as ``close``."""
        for shard in [shard for shard, held in self._held.items() if held.receiver == receiver]:
            del self._held[shard]
        return self.close(receiver)

    @property
    def incomplete(self) -> bool:
        """Whether a replica is still to come."""
        return bool(self._absent)

    def complete(self) -> None:
        """Wait for no more: what is not here has no shards."""
        while self._absent:
            self.close(self._absent.popitem()[1])

    def receivers(self) -> int:
        """How many take part and are here."""
        return len(self._replicas) - len(self._absent)

    def home(self, shard: int) -> Optional[int]:
        """Who may be sent items of ``shard`` now; None: it is not here, or its former home holds some."""
        home = self._homes.get(shard)
        if home is None:
            if not self._replicas:
                return None
            home = max(Home(weight(shard, replica), who) for who, replica in self._replicas.items())
            self._homes[shard] = home
        held = self._held.get(shard)
        if home.receiver < 0 or (held is not None and held.receiver != home.receiver):
            return None
        return home.receiver

    def sent(self, receiver: int, shards: Iterable[int]) -> None:
        """Items of these shards were sent to their home."""
        for shard in shards:
            held = self._held.get(shard)
            if held is None:
                held = self._held[shard] = _Held(receiver)
            held.items += 1

    def finished(self, shards: Iterable[int]) -> bool:
        """Items of these are finished by whoever held them; whether one of the shards is free to move now."""
        free = False
        for shard in shards:
            held = self._held[shard]
            held.items -= 1
            if not held.items:
                del self._held[shard]
                home = self._homes.get(shard)
                free = free or home is None or home.receiver != held.receiver
        return free
