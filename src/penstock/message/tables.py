"""Arrow tables and record batches as IPC streams and back. The only module that knows pyarrow.

    words    "table" or "batch", array of bytes

The stream is written straight into shared memory, one copy in all; the columns that arrive are views of it.
"""

from __future__ import annotations

import sys
from typing import Any, List, Optional

from penstock.errors import EnvironmentFault, PeerError
from penstock.message.foreign import Empty

OLDEST = 15
"""Of pyarrow. Older ones make what a stream names of a pickle in it (CVE-2023-47248)."""


def words(pyarrow: Any, table: Any, empty: Empty) -> Optional[List[Any]]:
    """A table or record batch in words; None for anything else."""
    if type(table) not in (pyarrow.Table, pyarrow.RecordBatch):
        return None
    import numpy

    measure = pyarrow.MockOutputStream()
    _write(pyarrow, measure, table)
    size = measure.size()
    array = empty(size, "u1")
    if array is None:
        array = numpy.empty(size, "u1")
    _write(pyarrow, pyarrow.FixedSizeBufferWriter(pyarrow.py_buffer(array)), table)
    return ["table" if type(table) is pyarrow.Table else "batch", array]


def value(pyarrow: Any, said: Any) -> Any:
    """The table of these words. All of it is looked through once: nothing in it may lead outside it.

    Raises:
        EnvironmentFault: pyarrow is too old here to be trusted with a message.
        PeerError: they are not such.
    """
    kind, array = said
    if int(pyarrow.__version__.partition(".")[0]) < OLDEST:
        raise EnvironmentFault(
            f"an Arrow table arrived and pyarrow {pyarrow.__version__} there is older than {OLDEST};"
            f" install a newer one for {sys.executable}"
        )
    if kind not in ("table", "batch"):
        raise PeerError(f"neither a table nor a batch: {kind!r:.40}")
    with pyarrow.ipc.open_stream(pyarrow.py_buffer(array)) as stream:
        table = stream.read_all() if kind == "table" else stream.read_next_batch()
    table.validate(full=True)
    return table


def _write(pyarrow: Any, where: Any, table: Any) -> None:
    with pyarrow.ipc.new_stream(where, table.schema) as stream:
        stream.write(table)
