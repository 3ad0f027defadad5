"""Ready-made insides of sources: generators over files, lines, images, arrays, tables, videos and HTTP.

A source of yours says ``yield from sources.lines("words.txt")``. One that takes ``start`` hands it on, and
goes on where it was: ``yield from sources.lines("words.txt", start=start)``; without it, all comes again.
"""

from __future__ import annotations

import fnmatch
import os
import time
from typing import Any, Iterator, List, Optional, Sequence, Tuple, Union

from penstock.errors import UserError
from penstock.message.library import needed
from penstock.pipeline.at import at

PAUSE = 0.5
"""Seconds between two looks at a folder that is watched."""


def files(
    folder: str, pattern: str = "*", *, watch: bool = False, start: Optional[Sequence[Any]] = None
) -> Iterator[Any]:
    """The paths of a folder's files, in the order in which they came there. Hidden ones are passed over.

    Args:
        folder: Not those below it.
        pattern: Of their names, as the shell has it.
        watch: Go on with those that come later. Move a file there when it is whole: one that is still being
            written is taken as it is.
        start: ``[]``, or where to go on: each path comes with its position, ``[ns since 1970, name]``.

    Raises:
        OSError: there is no such folder.
    """
    seen = set()
    since = tuple(start or (0, ""))
    while True:
        for came, name in _listed(folder, pattern):
            if name not in seen and (came, name) > since:
                seen.add(name)
                path = os.path.join(folder, name)
                yield path if start is None else at([came, name], path)
        if not watch:
            return
        time.sleep(PAUSE)


def _listed(folder: str, pattern: str) -> List[Tuple[int, str]]:
    with os.scandir(folder) as entries:
        # Moving a file into a folder changes its ctime, and no other of its times.
        return sorted((entry.stat().st_ctime_ns, entry.name) for entry in entries if _wanted(entry, pattern))


def _wanted(entry: os.DirEntry[str], pattern: str) -> bool:
    return not entry.name.startswith(".") and fnmatch.fnmatch(entry.name, pattern) and entry.is_file()


def lines(path: str, *, start: Optional[int] = None) -> Iterator[Any]:
    """The lines of a file in UTF-8, without their ends.

    Args:
        path: The file.
        start: 0, or where to go on, in bytes: each line comes with the position behind it.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        file.seek(start or 0)
        for raw in iter(file.readline, b""):
            line = raw.decode().rstrip("\r\n")
            yield line if start is None else at(file.tell(), line)


def images(
    folder: str, pattern: str = "*", *, watch: bool = False, start: Optional[Sequence[Any]] = None
) -> Iterator[Any]:
    """The images of a folder, read by Pillow, each ``{"path": str, "image": PIL.Image.Image}``.

    Args: as ``files``.

    Raises:
        PIL.UnidentifiedImageError: one of them is none.
    """
    opened = needed("PIL.Image", "sources.images").open
    for found in files(folder, pattern, watch=watch, start=[] if start is None else start):
        with opened(found.item) as image:
            image.load()
            item = {"path": found.item, "image": image}
        yield item if start is None else at(found.position, item)


def arrays(path: str, *, start: Optional[int] = None) -> Iterator[Any]:
    """What lies along the first axis of the array in a ``.npy`` file, one after the other; only that is read.
    Of an ``.npz`` file each array, as ``{"name": str, "array": ...}``.

    Args:
        path: The file.
        start: 0, or the index to go on from.

    Raises:
        ValueError: it holds no array, or one of objects.
    """
    found = needed("numpy", "sources.arrays").load(path, mmap_mode="r")
    names = getattr(found, "files", None)  # of an archive
    for index in range(start or 0, len(found)):
        item = found[index] if names is None else {"name": names[index], "array": found[names[index]]}
        yield item if start is None else at(index + 1, item)


def tables(path: str, *, rows: int = 65_536, start: Optional[int] = None) -> Iterator[Any]:
    """A Parquet file as ``pyarrow.RecordBatch``, of at most ``rows`` rows each.

    Args:
        path: The file.
        rows: At most so many; a row group ends a batch, too.
        start: 0, or how many batches to pass over (of the same ``rows``).

    Raises:
        pyarrow.ArrowInvalid: it is no Parquet file.
    """
    with needed("pyarrow.parquet", "sources.tables").ParquetFile(path) as file:
        for number, batch in enumerate(file.iter_batches(rows)):
            if number >= (start or 0):
                yield batch if start is None else at(number + 1, batch)


def video(origin: Union[str, int], *, start: Optional[int] = None) -> Iterator[Any]:
    """The frames of a video file or a camera, read by OpenCV: ``uint8``, rows x columns x 3, blue first.

    Args:
        origin: The path of a file or an address that OpenCV opens, or the number of a device.
        start: 0, or the number of frames to pass over. Of files only: a camera has no place to go on from.

    Raises:
        EnvironmentFault: OpenCV is not installed.
        OSError: there is no such file or device, or it is no video.
    """
    if start is not None and isinstance(origin, int):
        raise ValueError("sources.video(..., start=...): a camera cannot go on where it was; leave start out")
    capture = needed("cv2", "sources.video").VideoCapture(origin)
    try:
        if not capture.isOpened():
            raise OSError(f"OpenCV cannot open {origin!r}")
        number = 0
        # One by one: to set the position is exact with some codecs only.
        while number < (start or 0) and capture.grab():
            number += 1
        while True:
            there, frame = capture.read()
            if not there:
                return
            number += 1
            yield frame if start is None else at(number, frame)
    finally:
        capture.release()


def posts(
    port: int,
    *,
    host: str = "127.0.0.1",
    anybody: bool = False,
    largest: int = 16 * 1024 * 1024,
    patience: float = 30.0,
) -> Iterator[Any]:
    """What comes by HTTP POST, each ``{"path": str, "type": str, "body": bytes}``.

    Each is answered once it is an item of the pipeline: 202. While the pipeline is full it waits, but at
    most ``patience`` seconds: then 503, and it is no item. A web page of another site cannot post here.

    Args:
        port: To listen on.
        host: The address to listen on; by default only this machine can reach it.
        anybody: Whoever reaches ``host`` over the network may post, in the clear: without it, another address
            than this machine's own is refused.
        largest: Bytes of a body; more is refused with 413.
        patience: Seconds, also for a body that comes slowly.

    Raises:
        OSError: the port is taken.
        UserError: ``host`` is open to the network, and that is not said.
    """
    from penstock.mailbox import Mailbox

    if not anybody and not _is_near(host):
        raise UserError(
            f"posts({port}, host={host!r}) would let whoever reaches this machine post, in the clear; say"
            " anybody=True if they may, or leave host= out and put a proxy with TLS before it"
        )

    with Mailbox(host, port, largest=largest, patience=patience) as mailbox:
        while True:
            letter = mailbox.next()
            yield letter.item
            letter.taken.set()  # whoever asks for the next has put this one into the link


def _is_near(host: str) -> bool:
    """Whether only this machine reaches that address."""
    import ipaddress

    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
