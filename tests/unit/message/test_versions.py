"""One body means the same to every Python: what 3.11 sends, 3.9 and 3.13 read, and say again alike."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

import penstock
from penstock.message.codec import Decoder, Encoder, join
from tests.unit.message.test_codec import EXAMPLES
from tests.unit.message.values import words

SOURCES = Path(penstock.__file__).parents[1]
ECHO = f"""
import sys
sys.path.insert(0, {str(SOURCES)!r})
import msgspec
from penstock.message.codec import Decoder, Encoder, join

bodies = msgspec.msgpack.decode(sys.stdin.buffer.read())
values = [Decoder().values(body, count=1)[0] for body in bodies]
sys.stdout.buffer.write(msgspec.msgpack.encode([join([Encoder(None).encode(value)]) for value in values]))
"""

ARRAYS: list[Any] = [
    np.arange(6, dtype=">i2").reshape(2, 3),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.array([(1, 2.5, b"x")], dtype=[("a", ">i4"), ("b", "f8", (2,)), ("c", "S3")])[["c", "a"]],
    np.zeros((0, 3), "U0"),
    np.array("2024-02-29", "M8[D]"),
    np.float16(1.5),
    np.array([True, False])[::-1],
    np.str_("naïve"),
]


@pytest.mark.parametrize("version", ["3.9", "3.13"])
def test_every_python_reads_what_another_wrote(worker_python: Callable[[str], str], version: str) -> None:
    values = [*EXAMPLES, *ARRAYS]
    bodies = [join([Encoder(None).encode(value)]) for value in values]
    command = [worker_python(version), "-I", "-c", ECHO]
    said = subprocess.run(command, input=msgspec.msgpack.encode(bodies), stdout=subprocess.PIPE, check=True)
    echoed = msgspec.msgpack.decode(said.stdout, type=list[bytes])
    assert [words(Decoder().values(body)[0]) for body in echoed] == [words(value) for value in values]
