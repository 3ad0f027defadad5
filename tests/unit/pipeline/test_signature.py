from __future__ import annotations

import functools
import json
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Optional, TypedDict, Union

import numpy as np
import numpy.typing as npt
import pytest

from penstock.errors import WiringError
from penstock.pipeline.context import Context
from penstock.pipeline.signature import Signature, describe, misfit, misfit_batch, misfit_hand

if TYPE_CHECKING:
    from nowhere import Frame, ndarray  # type: ignore[import-not-found]


class Reading(TypedDict):
    celsius: float


def test_a_function_is_described_by_its_item_its_output_and_its_context() -> None:
    def clean(reading: Reading, ctx: Context) -> float:
        return reading["celsius"]

    assert describe(clean) == Signature(
        is_class=False,
        is_generator=False,
        is_async=False,
        item="reading",
        item_optional=False,
        item_type=Reading,
        output_type=float,
        call_context="ctx",
    )


def test_a_class_is_described_by_its_call_its_setup_and_its_teardown() -> None:
    class Train:
        def setup(self, context: Context) -> None: ...
        def __call__(self, item: int, *, ctx: Context) -> str:
            return str(item)

        def teardown(self) -> None: ...

    found = describe(Train)
    assert (found.is_class, found.item, found.item_type, found.output_type) == (True, "item", int, str)
    assert (found.call_context, found.setup_context, found.teardown_context) == ("ctx", "context", None)


def test_annotations_that_are_no_strings_are_read_too() -> None:
    names: dict[str, Any] = {"Context": Context}
    exec("def clean(item: int, ctx: Context) -> str: ...", names)
    found = describe(names["clean"])
    assert (found.item_type, found.output_type, found.call_context) == (int, str, "ctx")


def test_the_context_is_found_by_type_whatever_the_parameter_is_called() -> None:
    def clean(item: int, world: Optional[Context] = None) -> None: ...

    assert describe(clean).call_context == "world"


def test_a_context_imported_for_type_checkers_only_is_known_by_its_name() -> None:
    names: dict[str, Any] = {}
    exec(
        "from __future__ import annotations\n"
        "def one(item, ctx: Context): ...\n"
        "def other(item, ctx: penstock.Context): ...\n",
        names,
    )
    assert describe(names["one"]).call_context == "ctx"
    assert describe(names["other"]).call_context == "ctx"


def test_another_library_s_context_is_not_ours() -> None:
    other = type("Context", (), {})
    names: dict[str, Any] = {"Context": other}
    exec("def clean(item, ctx: Context = None): ...", names)
    assert describe(names["clean"]).call_context is None


def test_one_annotation_that_does_not_resolve_spoils_no_other() -> None:
    def clean(frame: Frame, ctx: Context) -> float:
        return 0.0

    found = describe(clean)
    assert (found.item_type, found.output_type, found.call_context) == (Any, float, "ctx")


def test_what_is_not_annotated_is_any() -> None:
    def clean(item): ...  # type: ignore[no-untyped-def]

    assert (describe(clean).item_type, describe(clean).output_type) == (Any, Any)


def yields(item: int) -> Generator[str, None, None]:
    yield ""


def yields_silently(item):  # type: ignore[no-untyped-def]
    yield item


def returns_iterator(item: int) -> Iterator[str]:
    return iter("")


def returns_list(item: int) -> list[str]:
    return []


def returns_perhaps(item: int) -> Optional[str]:
    return None


def returns_one_of_two(item: int) -> Union[str, int, None]:
    return None


@pytest.mark.parametrize(
    ("target", "many", "output"),
    [
        (yields, True, str),
        (yields_silently, True, Any),
        (returns_iterator, True, str),
        (returns_list, False, list[str]),
        (returns_perhaps, False, str),
        (returns_one_of_two, False, Union[str, int]),
    ],
)
def test_outputs_are_many_or_one_and_none_is_no_output(target: Any, many: bool, output: Any) -> None:
    found = describe(target)
    assert (found.is_generator, found.output_type) == (many, output)


def test_a_class_whose_call_yields_is_a_generator() -> None:
    class Split:
        def __call__(self, text: str) -> Iterator[str]:
            yield text

    assert describe(Split).is_generator


def test_a_wrapper_is_described_as_what_it_wraps() -> None:
    def logged(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return wrapper

    found = describe(logged(yields))
    assert (found.item, found.item_type, found.is_generator) == ("item", int, True)


@pytest.mark.parametrize("target", [json.dumps, len, str.upper, abs])
def test_functions_of_libraries_can_be_stages(target: Callable[..., Any]) -> None:
    assert describe(target).item is not None
    assert misfit(describe(target), "stage") is None


async def fetch(item: int) -> Optional[int]:
    return item


async def stream(item: int, ctx: Context) -> AsyncIterator[str]:
    yield str(item)


def streams(item: int) -> AsyncIterator[str]:
    return stream(item, Context())


class Ask:
    async def setup(self, ctx: Context) -> None: ...
    async def __call__(self, item: int) -> str:
        return str(item)


@pytest.mark.parametrize(
    ("target", "is_generator", "output"),
    [(fetch, False, int), (stream, True, str), (streams, True, str), (Ask, False, str)],
)
def test_async_code_is_described_by_what_comes_out_in_the_end(
    target: Any, is_generator: bool, output: type
) -> None:
    found = describe(target)
    assert (found.is_async, found.is_generator, found.output_type) == (True, is_generator, output)
    assert misfit(found, "stage") is None
    assert not describe(len).is_async


@pytest.mark.parametrize(
    ("target", "knobs", "sentence"),
    [
        (fetch, {"threads": 4}, "is async, and threads= is for plain code; say concurrency=4"),
        (fetch, {"batch": 4}, "is async, and batch= is for plain code; say concurrency=4"),
        (len, {"concurrency": 4}, "say threads=4 if it frees the GIL, else replicas=4"),
        (len, {"threads": 4}, None),
        (fetch, {"concurrency": 4}, None),
    ],
)
def test_items_in_hand_are_for_the_code_that_can_have_them(
    target: Any, knobs: dict[str, int], sentence: str | None
) -> None:
    unfit = misfit_hand(describe(target), **{"concurrency": 0, "threads": 0, "batch": 0, **knobs})
    assert unfit == sentence or (sentence and unfit and sentence in unfit)


# ------------------------------------------------------------------------------------------- refusals


class NotCallable:
    def setup(self) -> None: ...


class NeedsArgument:
    def __init__(self, path: str) -> None: ...
    def __call__(self, item: int) -> None: ...


class PlainSetup:
    def setup(self, ctx) -> None: ...  # type: ignore[no-untyped-def]
    def __call__(self, item: int) -> None: ...


def two_items(left: int, right: int) -> None: ...


def context_first(ctx: Context, item: int) -> None: ...


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        (NotCallable, "the class NotCallable has no __call__"),
        (NeedsArgument, r"NeedsArgument\(\) needs 'path'"),
        (PlainSetup, "PlainSetup.setup asks for 'ctx'.*annotate it `ctx: Context`"),
        (two_items, "two_items asks for 'right', but all it can have is an item and a Context"),
        (context_first, r"must take its item first: \(item, ctx: Context\)"),
    ],
)
def test_what_cannot_be_called_with_an_item_and_a_context_is_refused(target: Any, sentence: str) -> None:
    with pytest.raises(WiringError, match=sentence):
        describe(target)


def nothing() -> Iterator[int]:
    yield 1


def returns_nothing() -> int:
    return 1


@pytest.mark.parametrize(
    ("target", "kind", "sentence"),
    [
        (nothing, "stage", "takes no item"),
        (nothing, "sink", "takes no item"),
        (yields, "sink", "is a sink, but yields"),
        (yields, "source", "asks for 'item'; annotate it `item: Context`"),
        (returns_nothing, "source", "yields nothing"),
    ],
)
def test_code_that_does_not_fit_its_kind_is_told_why(target: Any, kind: str, sentence: str) -> None:
    assert sentence in (misfit(describe(target), kind) or "")


@pytest.mark.parametrize(
    ("target", "kind"),
    [(nothing, "source"), (yields, "stage"), (returns_list, "stage"), (returns_list, "sink")],
)
def test_code_that_fits_is_not_refused(target: Any, kind: str) -> None:
    assert misfit(describe(target), kind) is None


def test_a_source_with_a_start_that_has_a_default_can_go_on() -> None:
    def by_position(start: int = 0) -> Iterator[int]:
        yield start

    def by_keyword(ctx: Context, *, start: object = None) -> Iterator[int]:
        yield 1

    def without(ctx: Context) -> Iterator[int]:
        yield 1

    assert describe(by_position).resumes
    assert describe(by_keyword).resumes
    assert not describe(without).resumes
    assert misfit(describe(by_position), "source") is None


def test_a_start_without_a_default_is_refused_with_the_cure() -> None:
    def source(start: int) -> Iterator[int]:
        yield start

    said = misfit(describe(source), "source")
    assert said == "is a source, and begins without a position: give `start` a default"


def test_code_that_takes_batches_asks_for_a_list_or_an_array_or_says_nothing() -> None:
    def a(items: list[int]) -> None: ...
    def b(items: Sequence[Reading], ctx: Context) -> None: ...
    def c(items: npt.NDArray[np.float32]) -> None: ...
    def d(items): ...  # type: ignore[no-untyped-def]
    def e(items: ndarray) -> None: ...
    def f(items: list) -> None: ...  # type: ignore[type-arg]

    for code in (a, b, c, d, e, f):
        assert misfit_batch(describe(code), 8, pad=False) is None
    assert [describe(code).takes_array for code in (a, b, c, d, e, f)] == [
        False,
        False,
        True,
        False,
        True,
        False,
    ]
    assert [describe(code).element_type for code in (a, b, c, d, f)] == [int, Reading, Any, Any, Any]


def test_code_that_cannot_take_batches_is_told_what_to_write() -> None:
    def one(item: int) -> None: ...
    def words(text: str) -> None: ...
    def many(items: list[int]) -> Iterator[int]:
        yield 1

    assert "with batch=8 it gets a list; write `item: list[int]`" in str(
        misfit_batch(describe(one), 8, pad=False)
    )
    assert "write `text: list[str]`" in str(misfit_batch(describe(words), 8, pad=False))
    assert "nobody knows from which of its items" in str(misfit_batch(describe(many), 8, pad=False))
    assert "pad= is for arrays" in str(misfit_batch(describe(many_lists), 8, pad=True))


def many_lists(items: list[list[int]]) -> None: ...
