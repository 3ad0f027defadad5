"""pandas' frames, series, indexes and single values as arrays and back. The only module that knows pandas.

    frame     "frame", columns, index, block or columns' words, attrs      block: one array of two dimensions
    series    "series", column, index, name, attrs
    index     "index", index
    single    "moment" datetime64, zone    "span" timedelta64    "nat"    "na"

    an index  "range" start, stop, step, name    "levels" indexes, codes, names    "index" column, name, freq
    a column  "array" array                      a dtype of NumPy's
              "objects" list                     each travels as what it is
              "text" storage, na, list or table  storage: "python" or "pyarrow"; na: whether it is pandas.NA
              "codes" index, ordered, array      categories
              "zoned" array, zone                moments in UTC
              "masked" class, array, array       values, and where there is none
              "arrow" table                      one column
    a zone    a name of the time zone database, or seconds east of UTC

Columns of numbers arrive as views, read-only as arrays are. The name of a time zone is held against the
standard library's before pandas sees it: pandas would open a file for ``dateutil/...``.
"""

from __future__ import annotations

import datetime
import sys
from typing import Any, Callable, Dict, List, Optional

from penstock.errors import PeerError, UnsupportedType
from penstock.message.foreign import Empty
from penstock.message.library import imported

MASKED = ("IntegerArray", "FloatingArray", "BooleanArray")


def words(pandas: Any, value: Any, _: Empty) -> Optional[List[Any]]:
    """A value of pandas in words; None for what is of no type above, or of a class of its own.

    Raises:
        UnsupportedType: it has a column that does not travel; says which.
    """
    kind = type(value)
    if kind is pandas.DataFrame:
        return ["frame", _index(value.columns), _index(value.index), _body(value), dict(value.attrs)]
    if kind is pandas.Series:
        return [
            "series",
            _named(value),
            _index(value.index),
            value.name,
            dict(value.attrs),
        ]
    if isinstance(value, pandas.Index):
        return ["index", _index(value)]
    if kind is pandas.Timestamp:
        return ["moment", value.to_datetime64(), _zone(value.tzinfo)]
    if kind is pandas.Timedelta:
        return ["span", value.to_timedelta64()]
    if value is pandas.NaT:
        return ["nat"]
    return ["na"] if value is pandas.NA else None


def _body(frame: Any) -> Any:
    """All columns as one array where they lie so in memory; else one by one."""
    import numpy

    kinds = set(frame.dtypes)
    (kind,) = kinds if len(kinds) == 1 else (None,)
    if isinstance(kind, numpy.dtype) and not kind.hasobject:
        return frame.to_numpy()
    return [_named(column) for _, column in frame.items()]


def _named(column: Any) -> List[Any]:
    try:
        return _column(column)
    except UnsupportedType as refusal:
        raise UnsupportedType(f"column {column.name!r}: {refusal}") from None


def _column(column: Any) -> List[Any]:
    """A series or an index in the words of a column."""
    import numpy

    pandas, dtype, values = sys.modules["pandas"], column.dtype, column.array
    if isinstance(dtype, numpy.dtype):
        array = numpy.asarray(column)
        return ["objects", array.tolist()] if dtype.hasobject else ["array", array]
    if isinstance(dtype, pandas.CategoricalDtype):
        return ["codes", _index(dtype.categories), dtype.ordered, values.codes]
    if isinstance(dtype, pandas.DatetimeTZDtype):
        return ["zoned", values.to_numpy(f"M8[{dtype.unit}]"), _zone(dtype.tz)]
    if isinstance(dtype, pandas.StringDtype):
        return ["text", dtype.storage.partition("_")[0], dtype.na_value is pandas.NA, _text(values)]
    if type(values).__name__ in MASKED:
        bare = values.to_numpy(dtype.numpy_dtype, na_value=dtype.numpy_dtype.type(0))
        return ["masked", type(values).__name__, bare, values.isna()]
    if hasattr(pandas, "ArrowDtype") and isinstance(dtype, pandas.ArrowDtype):
        return ["arrow", _table(values)]
    raise UnsupportedType(
        f"pandas' dtype {dtype} cannot travel; use .astype(...) for one of NumPy's, text, categories,"
        " moments or nullable numbers"
    )


def _text(values: Any) -> Any:
    if values.dtype.storage == "python":
        return values.to_numpy(object, na_value=None).tolist()
    return _table(values)


def _table(values: Any) -> Any:
    pyarrow: Any = sys.modules["pyarrow"]
    return pyarrow.table([values.__arrow_array__()], names=[""])


def _index(index: Any) -> List[Any]:
    pandas = sys.modules["pandas"]
    if isinstance(index, pandas.RangeIndex):
        return ["range", index.start, index.stop, index.step, index.name]
    if isinstance(index, pandas.MultiIndex):
        levels = [_index(level) for level in index.levels]
        return ["levels", levels, list(index.codes), list(index.names)]
    return ["index", _named(index), index.name, getattr(index, "freqstr", None)]


def _zone(zone: Any) -> Any:
    if zone is None:
        return None
    name = getattr(zone, "key", None) or getattr(zone, "zone", None)
    if name is None and zone.utcoffset(None) is not None:
        return zone.utcoffset(None).total_seconds()
    if name is None:
        raise UnsupportedType(f"the time zone {zone!r} has no name; use zoneinfo.ZoneInfo(...) or UTC")
    return name


# ------------------------------------------------------------------------------------------- back


def value(pandas: Any, said: Any) -> Any:
    """The value of these words.

    Raises:
        Exception: of any kind, where they are not such.
    """
    return _VALUES[said[0]](pandas, *said[1:])


def _frame(pandas: Any, columns: Any, index: Any, body: Any, attrs: Any) -> Any:
    made = _index_of(pandas, index)
    if not isinstance(body, list):
        if body.ndim != 2:
            raise PeerError("the block of a frame has not two dimensions")
        frame = pandas.DataFrame(body, copy=False)
    elif body:
        # Each a series first: only so does a column of objects stay what it is.
        frame = pandas.DataFrame({n: _aligned(pandas, each, made) for n, each in enumerate(body)}, copy=False)
    else:
        frame = pandas.DataFrame(index=made)
    frame.index, frame.columns, frame.attrs = made, _index_of(pandas, columns), attrs
    return frame


def _series(pandas: Any, column: Any, index: Any, name: Any, attrs: Any) -> Any:
    made = _index_of(pandas, index)
    series = _aligned(pandas, column, made)
    series.index, series.name, series.attrs = made, name, attrs
    return series


def _aligned(pandas: Any, column: Any, index: Any) -> Any:
    """A column as a series that is as long as ``index`` (which it does not have yet: rows of one name in it
    would have pandas look for the order of them)."""
    array = _column_of(pandas, column)
    if len(array) != len(index):
        raise PeerError(f"a column of {len(array)} rows in a frame of {len(index)}")
    return pandas.Series(array, dtype=array.dtype, copy=False)


def _index_of(pandas: Any, said: Any) -> Any:
    if said[0] == "range":
        return pandas.RangeIndex(*said[1:4], name=said[4])
    if said[0] == "levels":
        levels = [_index_of(pandas, level) for level in said[1]]
        return pandas.MultiIndex(levels=levels, codes=said[2], names=said[3])
    _, column, name, freq = said
    array = _column_of(pandas, column)
    index = pandas.Index(array, dtype=array.dtype, name=name, copy=False)
    if freq is not None:
        index.freq = freq
    return index


def _column_of(pandas: Any, said: Any) -> Any:
    return _COLUMNS[said[0]](pandas, *said[1:])


def _array(pandas: Any, array: Any) -> Any:
    if array.ndim != 1:
        raise PeerError("a column has not one dimension")
    return array


def _objects(pandas: Any, items: Any) -> Any:
    numpy = imported("numpy", "a value of pandas")
    return numpy.fromiter(items, object, len(items))


def _text_of(pandas: Any, storage: Any, na: Any, items: Any) -> Any:
    nan = float("nan")
    if storage == "pyarrow":
        items = items.column(0)
    elif storage != "python":
        raise PeerError(f"not a way to keep text: {storage!r:.40}")
    if na:
        dtype = pandas.StringDtype(storage)
    else:
        try:
            dtype = pandas.StringDtype(storage, na_value=nan)
        except TypeError:  # before 2.3: there text is objects
            listed = items if storage == "python" else items.to_pylist()
            return _objects(pandas, [nan if item is None else item for item in listed])
    return pandas.array(items, dtype) if storage == "python" else dtype.__from_arrow__(items)


def _codes(pandas: Any, categories: Any, ordered: Any, codes: Any) -> Any:
    return pandas.Categorical.from_codes(codes, _index_of(pandas, categories), ordered=ordered)


def _zoned(pandas: Any, array: Any, zone: Any) -> Any:
    return pandas.DatetimeIndex(_array(pandas, array)).tz_localize("UTC").tz_convert(_zone_of(zone)).array


def _masked(pandas: Any, name: Any, array: Any, mask: Any) -> Any:
    if name not in MASKED:
        raise PeerError(f"no masked array of pandas: {name!r:.40}")
    return getattr(pandas.arrays, name)(_array(pandas, array), _array(pandas, mask))


def _arrow(pandas: Any, table: Any) -> Any:
    return pandas.arrays.ArrowExtensionArray(table.column(0))


def _zone_of(said: Any) -> Any:
    if said is None or isinstance(said, float):
        return None if said is None else datetime.timezone(datetime.timedelta(seconds=said))
    import zoneinfo

    zoneinfo.ZoneInfo(
        said
    )  # refuses what is no plain name; of which pandas makes what it makes of it everywhere
    return said


def _moment(pandas: Any, moment: Any, zone: Any) -> Any:
    made = pandas.Timestamp(moment)
    return made if zone is None else made.tz_localize("UTC").tz_convert(_zone_of(zone))


_VALUES: Dict[str, Callable[..., Any]] = {
    "frame": _frame,
    "series": _series,
    "index": _index_of,
    "moment": _moment,
    "span": lambda pandas, span: pandas.Timedelta(span),
    "nat": lambda pandas: pandas.NaT,
    "na": lambda pandas: pandas.NA,
}
_COLUMNS: Dict[str, Callable[..., Any]] = {
    "array": _array,
    "objects": _objects,
    "text": _text_of,
    "codes": _codes,
    "zoned": _zoned,
    "masked": _masked,
    "arrow": _arrow,
}
