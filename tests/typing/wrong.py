"""Wiring that cannot work: both checkers must refuse the marked lines, and no others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional

import penstock
from penstock import Context, Pipeline, join, route, session, sink, sliding, source, stage, task, tumbling
from penstock.patterns import Puller, Requester, Subscriber


@source
def numbers() -> Iterator[int]:
    yield 1


@stage
def text(number: int) -> str:
    return str(number)


@stage(replicas=2)
def maybe(number: int, ctx: Context) -> Optional[bytes]:
    return None


@stage
def split(word: str) -> Iterator[str]:
    yield word


@stage
class Halve:
    def __call__(self, number: int) -> float:
        return number / 2


@sink
class Sum:
    def __call__(self, number: float) -> None: ...


@sink
def save(word: str) -> None: ...


@sink
def count(number: int) -> None: ...


@stage(batch=8)
def texts(numbers: list[int]) -> list[str]:
    return [str(number) for number in numbers]


@sink(batch=8)
def count_all(numbers: list[int]) -> None: ...


def is_even(number: int) -> int:
    return number % 2


def words(number: int) -> list[str]:
    return [str(number)]


def is_long(word: str) -> int:
    return len(word) > 9


# A value of another type.
numbers >> split  # refused
numbers >> text >> count  # refused
numbers >> text >> text  # refused
numbers >> maybe >> save  # refused
numbers >> text >> split >> count  # refused
numbers >> Halve >> save  # refused
text >> Sum  # refused
text >> Halve  # refused
numbers >> text >> save
numbers >> Halve >> Sum

# A batch in the code is one item on the wire.
numbers >> texts >> save
numbers >> count_all
texts >> count_all  # refused
text >> texts  # refused
numbers >> texts >> count  # refused
stage(batch_wait="5ms")  # refused
stage(batch="8")  # refused

# Small steps.
numbers >> penstock.map(is_even) >> save  # refused
numbers >> penstock.map(is_long)  # refused
numbers >> penstock.filter(is_long)  # refused
numbers >> penstock.filter(is_even) >> save  # refused
numbers >> penstock.split(words) >> count  # refused
numbers >> penstock.split(is_even)  # refused
penstock.map(is_even, batch=3)  # refused
penstock.map(is_even, fuse="no")  # refused
numbers >> penstock.filter(is_even) >> penstock.map(is_even) >> count
numbers >> penstock.split(words) >> save

# Copies, merges, routes.
numbers >> (text, split)  # refused
numbers >> (text, count, save)  # refused
numbers >> (text, maybe) >> save  # refused
(numbers, text) >> count  # refused
(text, maybe) >> split  # refused
numbers >> route(text, split, by=is_even)  # refused
numbers >> route(text, maybe, by=is_long)  # refused
numbers >> (text, count)

# Windows and joins.
numbers >> tumbling(count=2) >> text  # refused
numbers >> tumbling(count=2) >> texts  # refused
numbers >> sliding(count=2) >> save  # refused
session()  # refused
tumbling(5)  # refused
tumbling(count="5")  # refused
join(numbers, on="id", within="1s")  # refused
join(numbers, numbers, on="id", within="1s") >> count  # refused
join(numbers, numbers, on="id", within="1s", how="full")  # refused

# Sinks give nothing, sources take nothing.
save >> text  # refused
numbers >> text >> save >> save  # refused
text >> numbers  # refused
numbers >> (text, count) >> save  # refused
numbers >> numbers  # refused
numbers >> Sum >> save  # refused

# What is not decorated is no stage.
numbers >> is_even  # refused
Pipeline("undecorated", is_even)  # refused

# Knobs.
stage(replica=2)  # refused
stage(replicas="2")  # refused
stage("other.py:clean", timeout=30)  # refused
text.with_options(timeout=30)  # refused
sink("other.py:store", interpeter="python3.9")  # refused

# The plain call and the spelled-out wiring.
text("1")  # refused
Pipeline("calls").connect(text, count)  # refused
Pipeline("calls").connect(numbers, text)


@task
def fit(ctx: Context, model: str, epochs: int = 10) -> float:
    return 0.5


# A job of other arguments, or with another result.
fit.submit(3)  # refused
fit.submit()  # refused
fit.submit("vgg", epoch=3)  # refused
fit.submit(Context(), "vgg")  # refused
fit.call("vgg", "ten")  # refused
fit.options(delay="10m").submit(model=3)  # refused
fit.options(dely="10m")  # refused
answer: str = fit.submit("vgg").result()  # refused
task(timeout=30)  # refused

# A plain socket that is said to receive something else, or a setting that is none.
Puller("inproc://numbers", of=int).receive().upper()  # refused
Requester("inproc://ask", of=float).request(1).append(2)  # refused
Subscriber("inproc://told", of=int).receive().value.upper()  # refused
Puller("inproc://numbers", timout=1.0)  # refused
