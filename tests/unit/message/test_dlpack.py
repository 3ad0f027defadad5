"""A received array is handed to another library by DLPack: no copy, still read-only, and its slot is held."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from penstock.message.arena import Arena, Mapping
from penstock.message.codec import Decoder, Encoder, join
from penstock.message.source import Source
from penstock.message.views import View
from tests.conftest import WorkerPython


def test_a_view_handed_over_is_the_same_memory_and_keeps_its_slot(tmp_path: Path) -> None:
    arena = Arena(str(tmp_path / "arena"), 1 << 21)
    body = join([Encoder(arena).encode(np.arange(20_000.0))])
    released: list[View] = []
    views = Decoder().values(body, Source(Mapping(arena.path), released.append))
    handed = np.from_dlpack(views[0])
    assert np.shares_memory(handed, views[0]) and not handed.flags.writeable
    views.clear()
    assert not released, "the other library still looks at it"
    assert handed[-1] == 19_999
    del handed
    assert len(released) == 1
    arena.close()


OLD = """
import numpy as np
view = np.frombuffer(bytes(80_000))
assert not view.flags.writeable
try:
    there = np.from_dlpack(view)
except BufferError:
    print("refused")
else:
    print("shared" if np.shares_memory(there, view) and not there.flags.writeable else "copied")
"""


@pytest.mark.parametrize(("version", "answer"), [("3.9", "refused"), ("3.13", "shared")])
def test_what_the_page_says_of_versions_is_so(version: str, answer: str, worker_python: WorkerPython) -> None:
    """NumPy 2.0 is the last one for Python 3.9."""
    done = subprocess.run([worker_python(version), "-c", OLD], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == answer
