"""Topics in ``pipeline.test()``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from penstock import Context, Pipeline, PipelineFailed, UserError, sink, source, subscriber


@source
def numbers(ctx: Context) -> Iterator[int]:
    ctx.publish("begun", True)
    yield from range(3)


@sink
def save(number: int, ctx: Context) -> None:
    ctx.publish("metrics.saved", {"number": number})


@subscriber("metrics.*")
class Total:
    def setup(self, ctx: Context) -> None:
        self.total = 0

    def __call__(self, value: dict[str, int], ctx: Context) -> None:
        self.total += value["number"]
        ctx.publish("total", self.total)


@subscriber("begun", "total")
async def show(value: int, ctx: Context) -> None:
    assert ctx.topic in {"begun", "total"}


def test_what_is_published_is_in_the_result_and_reaches_subscribers() -> None:
    result = Pipeline("p", numbers >> save, Total, show).test()
    assert result["Total"] == [{"number": 0}, {"number": 1}, {"number": 2}]
    assert result["show"] == [True, 0, 1, 3]
    assert [topic for topic, _ in result.published].count("metrics.saved") == 3
    assert result.totals.through == 3


def test_a_context_of_your_own_keeps_what_is_published() -> None:
    ctx = Context()
    save(7, ctx)
    assert ctx.published == [("metrics.saved", {"number": 7})]
    with pytest.raises(UserError, match="is no topic"):
        ctx.publish("a*", 1)


@sink
def wrong(number: int, ctx: Context) -> None:
    ctx.publish("a*", number)


def test_a_bad_topic_is_a_dead_letter_at_once() -> None:
    result = Pipeline("p", numbers >> wrong).test()
    assert {(each.attempts, "is no topic" in each.cause) for each in result.dead} == {(1, True)}


@subscriber("a")
class Broken:
    def setup(self) -> None:
        raise RuntimeError("no")

    def __call__(self, value: int) -> None: ...


def test_a_subscriber_that_cannot_begin_fails_the_test() -> None:
    with pytest.raises(PipelineFailed, match="Broken/0: RuntimeError: no"):
        Pipeline("p", numbers >> save, Broken).test()
