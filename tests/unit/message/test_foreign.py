"""Frames of pandas, tables of Arrow, images of Pillow: what you send is what arrives, by all three ways."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal, assert_index_equal, assert_series_equal
from PIL import Image, ImageFilter

from penstock.errors import EnvironmentFault, PeerError, UnsupportedType
from penstock.message import foreign, library, tables
from penstock.message.arrays import LARGE
from penstock.message.codec import Decoder, Encoder, join
from tests.unit.message.test_arrays import MIB, Wire
from tests.unit.message.values import text

pack = msgspec.msgpack.encode
Ext = msgspec.msgpack.Ext
WAYS = ["body", "slot", "frame"]


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Wire]]:
    """In the body, by shared memory, and as frames."""
    folder = tmp_path_factory.mktemp("arenas")
    found = {
        "body": Wire(f"{folder}/1.arena", 0),
        "slot": Wire(f"{folder}/2.arena", 64 * MIB),
        "frame": Wire(f"{folder}/3.arena", 1 << 17),
    }
    full = found["frame"].arena.take(1)
    assert full is not None
    yield found
    for wire in found.values():
        wire.close()


def sent(ways: dict[str, Wire], way: str, value: Any) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("penstock.message.arrays.LARGE", 1 if way != "body" else LARGE)
        return ways[way].send([value])[0]


def there_and_back(value: Any) -> Any:
    return Decoder().values(join([Encoder(None).encode(value)]), count=1)[0]


def at(array: Any) -> int:
    """Where its first byte lies."""
    return int(array.__array_interface__["data"][0])


def in_arena(wire: Wire, array: Any) -> bool:
    start = at(np.frombuffer(wire.source.mapping.map, "u1"))  # type: ignore[union-attr]
    return start <= at(array) < start + 64 * MIB


# --------------------------------------------------------------------------------------------- pandas

rows = 4
moments = pd.date_range("2024-03-30 22:00", periods=rows, freq="h")
COLUMNS: dict[str, Any] = {
    "integers": np.arange(rows),
    "big-endian": np.arange(rows, dtype=">i4"),
    "floats": np.array([1.5, np.nan, -0.0, np.inf], "f4"),
    "complex": np.array([1j, 2, 3, 4]),
    "booleans": np.array([True, False, True, True]),
    "moments": moments,
    "seconds": moments.as_unit("s"),
    "spans": pd.to_timedelta(np.arange(rows), unit="s"),
    "text": ["x", None, "ü", ""],
    "python text": pd.array(["a", None, "c", "d"], dtype="string[python]"),
    "arrow text": pd.array(["a", None, "c", "d"], dtype="string[pyarrow]"),
    "nan text": pd.array(["a", None, "c", "d"], dtype=pd.StringDtype("python", na_value=np.nan)),
    "objects": pd.Series([1, "a", None, (1, {2.5})], dtype=object),
    "text as objects": pd.Series(["a", "b", "c", "d"], dtype=object),
    "mixed moments": pd.Series([pd.Timestamp(1), pd.NaT, pd.NA, pd.Timedelta(3)], dtype=object),
    "categories": pd.Categorical(["u", "v", None, "u"], categories=["v", "u", "w"], ordered=True),
    "numbered categories": pd.Categorical([3, 1, 3, 3]),
    "zoned": moments.tz_localize("Europe/Berlin", ambiguous=True, nonexistent="shift_forward"),
    "in UTC": moments.tz_localize("UTC"),
    "half an hour off": moments.tz_localize(datetime.timezone(datetime.timedelta(hours=5, minutes=30))),
    "nullable integers": pd.array([1, None, 3, 2**62], dtype="Int64"),
    "nullable bytes": pd.array([1, None, 3, 255], dtype="UInt8"),
    "nullable floats": pd.array([1, None, 3, 0.5], dtype="Float32"),
    "nullable booleans": pd.array([True, None, False, True], dtype="boolean"),
    "lists": pd.array([[1], None, [2, 3], []], dtype=pd.ArrowDtype(pa.list_(pa.int64()))),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_of_every_kind_arrives(ways: dict[str, Wire], way: str, name: str) -> None:
    series = pd.Series(COLUMNS[name], name=name, copy=True)
    series.attrs["unit"] = "m"
    arrived = sent(ways, way, series)
    assert_series_equal(arrived, series, check_freq=True)
    assert arrived.attrs == {"unit": "m"}


@pytest.mark.parametrize("way", WAYS)
def test_a_frame_of_every_kind_arrives(ways: dict[str, Wire], way: str) -> None:
    frame = pd.DataFrame(COLUMNS)
    assert_frame_equal(sent(ways, way, frame), frame)


columns = st.sampled_from(sorted(COLUMNS.keys() - {"big-endian"}))  # of which pandas cannot take some rows
levels = st.sampled_from(["integers", "text", "categories", "zoned", "spans"])


@given(names=st.lists(columns, max_size=4), index=st.lists(levels, max_size=2, unique=True), data=st.data())
def test_frames_of_all_shapes_arrive(names: list[str], index: list[str], data: st.DataObject) -> None:
    """Also with columns of one name, an index of several levels, none at all, and some of its rows."""
    parts = [pd.DataFrame(COLUMNS)[[name]] for name in names]
    frame = pd.concat(parts, axis=1) if parts else pd.DataFrame(index=range(rows))
    if index:
        frame.index = pd.MultiIndex.from_frame(pd.DataFrame(COLUMNS)[index])
    frame = frame.iloc[data.draw(st.lists(st.integers(0, rows - 1), max_size=6))]
    assert_frame_equal(there_and_back(frame), frame)


INDEXES = [
    pd.RangeIndex(3, 11, 2, name="n"),
    pd.Index([1.5, 2.5], name=("a", 1)),
    pd.Index(["a", "b"]),
    pd.Index([1, "a", None], dtype=object),
    pd.Index([], dtype="f4"),
    pd.date_range("2024", periods=5, freq="h", tz="Asia/Kolkata"),
    pd.timedelta_range("1s", periods=5, freq="2s"),
    pd.CategoricalIndex(["a", "b", "a"]),
    pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["x", None]),
]


@pytest.mark.parametrize("index", INDEXES, ids=lambda index: type(index).__name__)
def test_an_index_of_every_kind_arrives(index: Any) -> None:
    arrived = there_and_back(index)
    assert_index_equal(arrived, index, exact=True)
    assert getattr(arrived, "freq", None) == getattr(index, "freq", None)
    frame = pd.DataFrame(np.ones((2, len(index))), columns=index)
    assert_frame_equal(there_and_back(frame), frame)


@given(
    stamp=st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2200, 1, 1)),  # noqa: DTZ001
    zone=st.sampled_from([None, "UTC", "Asia/Kolkata"]),
)
def test_a_moment_arrives_with_its_zone(stamp: datetime.datetime, zone: str | None) -> None:
    moment, span = pd.Timestamp(stamp, tz=zone), pd.Timestamp(stamp) - pd.Timestamp(0)
    arrived = there_and_back({moment: span})
    assert arrived == {moment: span}
    assert [key.tz for key in arrived] == [moment.tz]


def test_the_numbers_of_a_frame_arrive_in_place_and_read_only(ways: dict[str, Wire]) -> None:
    wire = ways["slot"]
    one = pd.DataFrame(np.arange(40_000.0).reshape(-1, 4))
    many = pd.DataFrame({"a": np.arange(20_000), "b": np.arange(20_000.0), "c": ["x"] * 20_000})
    for frame in (one, many):
        arrived = wire.send(frame)
        assert_frame_equal(arrived, frame)
        for column in list(frame)[:2]:
            array = arrived[column].to_numpy()
            assert in_arena(wire, array)
            assert not array.flags.writeable
        del arrived, array
        wire.settle()
        assert wire.arena.held() == {}
        assert wire.arena.used == 0


# ---------------------------------------------------------------------------------------------- Arrow

FIELDS: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (pa.int64(), st.integers(-9, 9)),
    (pa.float32(), st.floats(width=32, allow_nan=False)),
    (pa.bool_(), st.booleans()),
    (pa.string(), text),
    (pa.large_string(), text),
    (pa.binary(), st.binary(max_size=9)),
    (pa.date32(), st.dates()),
    (pa.timestamp("us", "UTC"), st.datetimes(timezones=st.just(datetime.UTC))),
    (pa.list_(pa.int8()), st.lists(st.integers(-9, 9), max_size=3)),
    (pa.dictionary(pa.int8(), pa.string()), text),
    (pa.struct([("x", pa.int64())]), st.fixed_dictionaries({"x": st.integers(0, 9)})),
    (pa.null(), st.none()),
]


@st.composite
def arrow(draw: st.DrawFn) -> Any:
    """A table of some chunks, and perhaps only a part of it."""
    kinds = draw(st.lists(st.sampled_from(FIELDS), max_size=3))
    schema = pa.schema([(f"c{n}", kind) for n, (kind, _) in enumerate(kinds)], metadata={"made": "here"})
    chunks = []
    for _ in range(draw(st.integers(1, 3))):
        size = draw(st.integers(0, 5))
        columns = [draw(st.lists(st.none() | values, min_size=size, max_size=size)) for _, values in kinds]
        parts = [pa.array(column, kind) for column, (kind, _) in zip(columns, kinds, strict=True)]
        chunks.append(pa.table(parts, schema=schema))
    table = pa.concat_tables(chunks)
    return table.slice(draw(st.integers(0, 3))) if draw(st.booleans()) else table


@given(table=arrow())
@pytest.mark.parametrize("way", WAYS)
def test_every_table_of_arrow_arrives(ways: dict[str, Wire], way: str, table: Any) -> None:
    arrived = sent(ways, way, table)
    assert type(arrived) is pa.Table
    assert arrived.schema.equals(table.schema, check_metadata=True)
    assert arrived.to_pylist() == table.to_pylist()
    for batch in table.to_batches():
        assert sent(ways, way, batch).equals(batch, check_metadata=True)


def test_a_table_lies_where_it_was_written_until_nobody_looks_at_it(ways: dict[str, Wire]) -> None:
    wire = ways["slot"]
    table = pa.table({"a": np.arange(100_000), "b": [str(n) for n in range(100_000)]})
    arrived = wire.send(table)
    column = arrived["a"].chunk(0).to_numpy()
    assert in_arena(wire, column)
    del arrived
    wire.settle()
    assert wire.arena.used, "a column of it lives"
    assert column[-1] == 99_999
    del column
    wire.settle()
    assert wire.arena.held() == {}
    assert wire.arena.used == 0


def test_a_pyarrow_that_unpickles_reads_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    body = join([Encoder(None).encode(pa.table({"a": [1]}))])
    monkeypatch.setattr(pa, "__version__", "14.0.0")
    with pytest.raises(
        EnvironmentFault, match=r"pyarrow 14\.0\.0 there is older than 15; install a newer one"
    ):
        Decoder().values(body)


# --------------------------------------------------------------------------------------------- images

modes = st.sampled_from(["1", "L", "P", "LA", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I", "F", "I;16"])


@given(
    mode=modes, size=st.tuples(st.integers(0, 9), st.integers(0, 9)), seed=st.binary(min_size=1, max_size=9)
)
@pytest.mark.parametrize("way", WAYS)
def test_an_image_of_every_mode_arrives(
    ways: dict[str, Wire], way: str, mode: str, size: tuple[int, int], seed: bytes
) -> None:
    image = Image.new(mode, size)
    pixels = (seed * 400)[: len(image.tobytes())]
    if pixels and mode != "F":
        image.frombytes(pixels)
    if mode in ("P", "PA"):
        image.putpalette(seed * 3)
    arrived = sent(ways, way, image)
    assert type(arrived) is Image.Image
    assert (arrived.mode, arrived.size, arrived.tobytes()) == (image.mode, image.size, image.tobytes())
    assert arrived.getpalette() == image.getpalette()


def test_an_image_from_a_file_arrives_with_its_transparency(tmp_path: Path) -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 255, 0, 0])
    image.save(tmp_path / "a.gif", transparency=1)
    with Image.open(tmp_path / "a.gif") as opened:
        arrived = there_and_back(opened)
        assert arrived.convert("RGBA").tobytes() == opened.convert("RGBA").tobytes()


# ------------------------------------------------------------------------------------ refused, missing

REFUSED = {
    "column 'p': pandas' dtype period[M] cannot travel; use .astype": pd.DataFrame(
        {"a": [1], "p": pd.PeriodIndex(["2024-01"], freq="M")}
    ),
    "pandas' dtype Sparse": pd.Series(pd.arrays.SparseArray([0, 0, 1]), name="s"),
    "DataFrameGroupBy cannot travel": pd.DataFrame({"a": [1]}).groupby("a"),
    "a builtins.object cannot travel": pd.Series([object()]),
    "lib.ChunkedArray cannot travel": pa.chunked_array([[1]]),
    "PIL.ImageFilter.BoxBlur cannot travel": ImageFilter.BoxBlur(1),
}


@pytest.mark.parametrize("sentence", REFUSED)
def test_what_cannot_travel_is_refused_with_a_way_out(sentence: str) -> None:
    with pytest.raises(UnsupportedType) as refusal:
        Encoder(None).encode([REFUSED[sentence]])
    assert sentence in str(refusal.value)


def test_where_the_pipeline_says_so_it_is_pickled_instead() -> None:
    periods = pd.Series(pd.period_range("2024-01", periods=3, freq="M"))
    body = join([Encoder(None, allow_pickle=True).encode(periods)])
    assert_series_equal(Decoder(allow_pickle=True).values(body)[0], periods)
    with pytest.raises(PeerError, match="does not say allow_pickle=True"):
        Decoder().values(body)


VALUES = {
    ("pandas", "pandas"): pd.DataFrame({"a": [1]}),
    ("pyarrow", "pyarrow"): pa.table({"a": [1]}),
    ("PIL.Image", "pillow"): Image.new("L", (1, 1)),
}


@pytest.mark.parametrize("module", VALUES)
def test_a_receiver_without_the_library_is_told_which_and_where(
    module: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    body = join([Encoder(None).encode(VALUES[module])])
    library.imported.cache_clear()
    monkeypatch.delitem(sys.modules, module[0])
    monkeypatch.setitem(sys.modules, module[0].partition(".")[0], None)
    sentence = f"arrived and {module[1]} is not installed there; install {module[1]} for"
    with pytest.raises(EnvironmentFault, match=sentence) as fault:
        Decoder().values(body)
    assert sys.executable in str(fault.value)


def test_what_a_table_says_leads_nowhere_outside_it() -> None:
    """Offsets of text that lie outside their buffer: pyarrow alone would look there."""
    said = tables.words(pa, pa.table({"a": ["some", "text"]}), lambda shape, dtype: None)
    assert said is not None
    raw = said[1].tobytes()
    honest, forged = (np.array([0, 4, end], "i4").tobytes() for end in (8, 1 << 30))
    assert raw.count(honest) == 1
    said[1] = np.frombuffer(raw.replace(honest, forged), "u1")
    with pytest.raises(PeerError, match="not a value of this protocol"):
        Decoder().values(join([pack(Ext(foreign.ARROW, Encoder(None).encode(said)))]))
