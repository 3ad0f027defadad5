"""Whatever bytes come over a wire or lie in a file: a value, or the error that is documented."""

from __future__ import annotations

import gc
import random
import time
import tracemalloc
import warnings

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS, Target, bombs

MOST_MEMORY = 16 << 20
"""Bytes that a reader may take for what has at most 50 kB."""
LONGEST = 5.0
"""Seconds, on a machine that is busy."""
BATCH = 1000
LONG = 10.0
"""Seconds of each target in the long form."""


def feed(target: Target, data: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            target.read(data)
        except target.refuses:
            pass


@st.composite
def damaged(draw: st.DrawFn, target: Target) -> bytes:
    """What it reads, with bytes changed, put in, taken out, or cut off."""
    data = bytearray(draw(st.sampled_from(target.seeds)))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=4))
    return bytes(data[: draw(st.integers(0, len(data)) | st.just(len(data)))])


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_any_bytes_are_read_or_refused(target: Target) -> None:
    for seed in target.seeds:
        feed(target, seed)

    @settings(max_examples=40, database=None, suppress_health_check=list(HealthCheck))
    @given(st.binary(max_size=100) | damaged(target))
    def read(data: bytes) -> None:
        feed(target, data)

    read()


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_what_is_small_takes_no_memory_and_no_time_whatever_it_says(target: Target) -> None:
    for name, data in [*bombs(), *(("a trap", trap) for trap in target.traps)]:
        begun = time.perf_counter()
        tracemalloc.start()
        try:
            feed(target, data)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < MOST_MEMORY, f"{name}: {peak:,} bytes"
        assert time.perf_counter() - begun < LONGEST, name


@pytest.mark.fault
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_millions_of_damaged_messages_are_read_or_refused(
    target: Target, long_form: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    luck, count = random.Random(11), 0
    end = time.perf_counter() + (LONG if long_form else 0.05)
    while time.perf_counter() < end:
        for _ in range(BATCH if long_form else 20):
            data = mutated(luck, luck.choice(target.seeds))
            count += 1
            try:
                feed(target, data)
            except BaseException:
                print(f"{target.name}: {data!r}")
                raise
    gc.collect()
    with capsys.disabled():
        if long_form:
            print(f"\n{target.name}: {count:,} executions")


INTERESTING = [
    0,
    1,
    0x7F,
    0x80,
    0x90,
    0x91,
    0xA1,
    0xC1,
    0xC4,
    0xC6,
    0xC7,
    0xC9,
    0xCF,
    0xD3,
    0xD9,
    0xDD,
    0xDF,
    0xFF,
]


def mutated(luck: random.Random, seed: bytes) -> bytes:
    data = bytearray(seed)
    for _ in range(luck.randrange(1, 6)):
        at = luck.randrange(len(data) + 1)
        match luck.randrange(5):
            case 0:
                data[at : at + 1] = bytes([luck.choice(INTERESTING)])
            case 1:
                data[at : at + 1] = luck.randbytes(1)
            case 2:
                data[at:at] = luck.randbytes(luck.randrange(1, 5))
            case 3:
                del data[at : at + luck.randrange(1, 5)]
            case _:
                begin = luck.randrange(len(data) + 1)
                data[at:at] = data[begin : begin + luck.randrange(1, 20)]
    return bytes(data)
