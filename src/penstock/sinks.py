"""Ready-made insides of sinks: lines, files, arrays, images, tables, HTTP; no kill harms what they write.

A sink of yours makes one in ``setup`` and hands it each item with its id: ``self.out.write(value, ctx.id)``.
An item may be delivered again after a death, under the same id. What writes files names them by the id and
moves them into place when they are whole: so the second delivery writes the same file again. Nothing is
synced to the disk: a kill loses nothing of what was written, the end of the machine may.
"""

from __future__ import annotations

import json
import math
import os
import re
import urllib.error
import urllib.request
from contextlib import suppress
from typing import Any, Callable, Dict, Mapping, Optional, Set, Union

from penstock.errors import Reject, Retry
from penstock.message.library import needed

AGAIN = frozenset((408, 425, 429))
"""Answers that are no verdict about what was posted, besides those from 500 on."""


class Lines:
    """Lines appended to a file: text as it is, anything else as JSON."""

    def __init__(self, path: str, *, ids: bool = False) -> None:
        """Open the file, or make it.

        Args:
            path: The file. Several replicas may append to one, each line as a whole.
            ids: Write ``{"id": ..., "value": ...}`` and pass over what is there already: so an item that is
                delivered again is there once. For one replica; what is there is read at the beginning.

        Raises:
            OSError: it cannot be opened.
        """
        self._ids: Optional[Set[str]] = _ids_in(path) if ids else None
        self._file = open(path, "ab", buffering=0)  # noqa: SIM115  it is open for as long as its sink
        self._torn = _is_torn(path)

    def write(self, value: Any, id: str = "") -> bool:
        """Append a line; whether it was not there yet. With one system call, so none is ever half of two.

        Args:
            value: Text without line ends, or what JSON has words for; NaN and infinity become text.
            id: The item's; needed where ``ids`` was said.

        Raises:
            OSError: the disk is full, say. What was written of the line is a line of its own.
        """
        if self._ids is not None and id in self._ids:
            return False
        said = value if self._ids is None else {"id": id, "value": value}
        line = said if isinstance(said, str) else json.dumps(_plain(said), ensure_ascii=False)
        data = b"\n" * self._torn + line.replace("\n", " ").encode() + b"\n"
        self._torn = self._file.write(data) < len(data)
        if self._torn:
            raise OSError(f"{self._file.name}: only a part of a line could be written")
        if self._ids is not None:
            self._ids.add(id)
        return True

    def close(self) -> None:
        """No more."""
        self._file.close()


def _ids_in(path: str) -> Set[str]:
    """Of the lines that are whole."""
    if not os.path.exists(path):
        return set()
    with open(path, "rb") as file:
        return {id for id in map(_id_in, file) if id is not None}


def _id_in(line: bytes) -> Optional[str]:
    """None where the line is torn, or not of ours."""
    try:
        said = json.loads(line)["id"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return said if isinstance(said, str) else None


def _is_torn(path: str) -> bool:
    """Whether the last line has no end."""
    with open(path, "rb") as file:
        file.seek(0, os.SEEK_END)
        if not file.tell():
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def _plain(value: Any) -> Any:
    """``value`` in the words of JSON."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(part) for part in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return value.tolist() if hasattr(value, "tolist") else str(value)


class Files:
    """A file for each item in a folder, named by the item's id: ``camera/0:17`` is ``camera-0.17``."""

    def __init__(self, folder: str, suffix: str = "") -> None:
        """Make the folder, if it is not there.

        Args:
            folder: For the files.
            suffix: The end of their names, ``".txt"``.

        Raises:
            OSError: it cannot be made.
        """
        os.makedirs(folder, exist_ok=True)
        self.folder = folder
        self.suffix = suffix

    def write(self, value: Union[str, bytes], id: str) -> str:
        """Write the file of that item, in the place of one that is there; its path.

        Args:
            value: What is to be in it.
            id: The item's.

        Raises:
            OSError: it could not be written; what was there before is there still.
        """
        data = value.encode() if isinstance(value, str) else value
        return self.put(id, lambda file: file.write(data))

    def put(self, id: str, write: Callable[[Any], Any]) -> str:
        """As ``write``, of what ``write(file)`` writes into a file that is open for bytes."""
        path = os.path.join(self.folder, name_of(id) + self.suffix)
        # (By the id alone: what a kill leaves there, the next delivery of the item writes anew and moves.)
        draft = os.path.join(self.folder, f".{name_of(id)}.draft")
        try:
            with open(draft, "wb") as file:
                write(file)
            os.replace(draft, path)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(draft)
            raise
        return path


def name_of(id: str) -> str:
    """The name of a file for the item ``id``."""
    text = id.replace("/", "-").replace(":", ".")
    return re.sub(r"[^\w.+~-]", lambda found: f"%{ord(found[0]):02X}", text)


class Arrays(Files):
    """A ``.npy`` file for each array, an ``.npz`` file for each dict of arrays."""

    def write(self, value: Any, id: str) -> str:
        """Write the file of that item; its path.

        Raises:
            ValueError: an array holds objects.
            OSError: it could not be written.
        """
        numpy = needed("numpy", "sinks.Arrays")
        many = isinstance(value, dict)
        self.suffix = ".npz" if many else ".npy"
        if many:
            return self.put(id, lambda file: numpy.savez(file, **value))
        return self.put(id, lambda file: numpy.save(file, value, allow_pickle=False))


class Images(Files):
    """An image file for each item, written by Pillow."""

    def __init__(self, folder: str, format: str = "png", **options: Any) -> None:
        """As ``Files``.

        Args:
            folder: For the files.
            format: As Pillow calls it, ``"png"`` or ``"jpeg"``; the end of their names, too.
            options: For Pillow's ``save``: ``quality=90``.

        Raises:
            EnvironmentFault: Pillow is not installed.
        """
        super().__init__(folder, f".{format}")
        self._format = format
        self._options = options
        self._image = needed("PIL.Image", "sinks.Images")

    def write(self, value: Any, id: str) -> str:
        """Write the file of that item; its path.

        Args:
            value: An image of Pillow's, or an array: rows, columns and, if any, colours, of ``uint8``.
            id: The item's.

        Raises:
            OSError: it could not be written.
        """
        image = value if hasattr(value, "save") else self._image.fromarray(value)
        return self.put(id, lambda file: image.save(file, self._format, **self._options))


class Tables(Files):
    """A Parquet file for each item, written by pyarrow: a folder of parts, as its readers know it.

    For large parts take many rows at once, with ``batch=`` on the stage before. A part is whole or not there.
    """

    def __init__(self, folder: str, **options: Any) -> None:
        """As ``Files``.

        Args:
            folder: For the parts.
            options: For ``pyarrow.parquet.write_table``: ``compression="zstd"``.

        Raises:
            EnvironmentFault: pyarrow is not installed.
        """
        super().__init__(folder, ".parquet")
        self._options = options
        self._arrow = needed("pyarrow", "sinks.Tables")
        self._parquet = needed("pyarrow.parquet", "sinks.Tables")

    def write(self, value: Any, id: str) -> str:
        """Write the part of that item; its path.

        Args:
            value: A table or record batch of Arrow's, a frame of pandas, a dict of columns, a list of dicts.
            id: The item's, or that of the first of a batch.

        Raises:
            OSError: it could not be written.
        """
        table = self._table(value)
        return self.put(id, lambda file: self._parquet.write_table(table, file, **self._options))

    def _table(self, value: Any) -> Any:
        arrow = self._arrow
        if isinstance(value, arrow.Table):
            return value
        if isinstance(value, arrow.RecordBatch):
            return arrow.Table.from_batches([value])
        if isinstance(value, dict):
            return arrow.table(value)
        return arrow.Table.from_pylist(value) if isinstance(value, list) else arrow.Table.from_pandas(value)


class Posts:
    """Each item by HTTP POST to an address."""

    def __init__(
        self, url: str, *, timeout: float = 30.0, headers: Optional[Mapping[str, str]] = None
    ) -> None:
        """Nothing is sent yet.

        Args:
            url: ``http://`` or ``https://``.
            timeout: Seconds for one answer.
            headers: To be sent with each.

        Raises:
            ValueError: no such address.
        """
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"{url!r} is no address to post to; it begins with http:// or https://")
        self._url = url
        self._timeout = timeout
        self._headers = dict(headers or {})

    def write(self, value: Any, id: str) -> int:
        """Post one item; the status of the answer. Whoever answers may tell a second delivery by
        ``Idempotency-Key``, which is the id.

        Args:
            value: Bytes are sent as they are, all else as JSON.
            id: The item's.

        Raises:
            Retry: nobody answered, or with 408, 425, 429 or 500 and more: the item comes again.
            Reject: the answer was another no.
        """
        raw = isinstance(value, (bytes, bytearray))
        data = bytes(value) if raw else json.dumps(_plain(value)).encode()
        kind = "application/octet-stream" if raw else "application/json"
        headers: Dict[str, str] = {"Content-Type": kind, "Idempotency-Key": id, **self._headers}
        request = urllib.request.Request(self._url, data, headers, method="POST")  # noqa: S310  see __init__
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as answer:  # noqa: S310
                return int(answer.status)
        except urllib.error.HTTPError as error:
            raise self._verdict(error) from None
        except OSError as error:
            raise Retry(f"{self._url}: {getattr(error, 'reason', error)}") from None

    def _verdict(self, error: urllib.error.HTTPError) -> Exception:
        with error:
            said = error.read(200).decode("utf-8", "replace").strip()
        sentence = f"{self._url} answered {error.code} {error.reason}{': ' if said else ''}{said}"
        if error.code >= 500 or error.code in AGAIN:
            return Retry(sentence, after=_seconds(error.headers.get("Retry-After")))
        return Reject(sentence)


def _seconds(text: Optional[str]) -> Optional[str]:
    """What the other side asks for, as ``Retry`` wants it; a date is not looked at."""
    return f"{text}s" if text and text.isdigit() else None
