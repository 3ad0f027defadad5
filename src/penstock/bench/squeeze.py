"""Compressors, those that are installed here; and what there is to compress."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

MODULES = {"lz4": "lz4.frame", "zstd": "zstandard"}
"""By the name that people know."""
Squeezer = tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]


def installed(name: str) -> bool:
    """Whether that compressor can be imported."""
    return find_spec(MODULES[name].partition(".")[0]) is not None


def squeezer(name: str) -> Squeezer:
    """What compresses, and what restores."""
    module = import_module(MODULES[name])
    return module.compress, module.decompress


def readings(length: int) -> bytes:
    """So many bytes of JSON lines, some of them the same each time: what compressors are given."""
    chance, lines, size = random.Random(7), list[bytes](), 0
    while size < min(length, 1_000_000):
        reading = {
            "number": len(lines),
            "sensor": f"hall-{chance.randrange(8)}/boiler-{chance.randrange(40)}/outlet",
            "celsius": round(chance.gauss(71.5, 4.0), 2),
        }
        lines.append(json.dumps(reading).encode() + b"\n")
        size += len(lines[-1])
    block = b"".join(lines)[: min(length, 1_000_000)]
    return (block * (length // max(1, len(block)) + 1))[:length]
