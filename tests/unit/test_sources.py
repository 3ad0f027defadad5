"""What ready-made sources yield, and that they go on where they were."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from penstock import EnvironmentFault, UserError, sources
from penstock.mailbox import Mailbox, Posted

Make = Callable[[Any], Iterator[Any]]


def resumed_anywhere(make: Make, first: Any) -> list[Any]:
    """All items; and from the position of each on come those behind it, and no others."""
    whole = list(make(first))
    for place, each in enumerate(whole):
        behind = [later.position for later in make(each.position)]
        assert behind == [later.position for later in whole[place + 1 :]]
    return [each.item for each in whole]


def test_lines_come_without_their_ends_and_go_on_behind_any(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("one\r\n\nzwei ☃\nlast".encode())
    assert list(sources.lines(str(path))) == ["one", "", "zwei ☃", "last"]
    assert resumed_anywhere(lambda start: sources.lines(str(path), start=start), 0) == [
        "one", "", "zwei ☃", "last",
    ]  # fmt: skip


def test_files_come_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    names = ["b.txt", "a.txt", "c.txt"]
    for name in [*names, ".hidden.txt", "d.png"]:
        (tmp_path / name).touch()
    (tmp_path / "folder.txt").mkdir()
    listed = sorted(names, key=lambda name: ((tmp_path / name).stat().st_ctime_ns, name))
    expected = [str(tmp_path / name) for name in listed]
    assert list(sources.files(str(tmp_path), "*.txt")) == expected
    assert resumed_anywhere(lambda start: sources.files(str(tmp_path), "*.txt", start=start), []) == expected
    with pytest.raises(FileNotFoundError):
        next(sources.files(str(tmp_path / "none")))


def test_a_watched_folder_yields_what_is_moved_there_once_however_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "first").touch()

    def meanwhile(_: float) -> None:
        """What happens while it waits."""
        old = tmp_path / "second"
        old.touch()
        os.utime(old, (1, 1))
        old.rename(folder / "second")

    monkeypatch.setattr(time, "sleep", meanwhile)
    found = sources.files(str(folder), watch=True)
    assert [Path(next(found)).name, Path(next(found)).name] == ["first", "second"]


def test_images_come_with_their_paths(tmp_path: Path) -> None:
    for grey in (1, 2):
        Image.new("L", (2, 2), grey).save(tmp_path / f"{grey}.png")
    items = resumed_anywhere(lambda start: sources.images(str(tmp_path), start=start), [])
    assert sorted((Path(each["path"]).name, each["image"].getpixel((0, 0))) for each in items) == [
        ("1.png", 1),
        ("2.png", 2),
    ]
    assert len(list(sources.images(str(tmp_path), "1.*"))) == 1


def test_arrays_and_tables_come_part_by_part(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(6).reshape(3, 2))
    parts = resumed_anywhere(lambda start: sources.arrays(f"{tmp_path}/a.npy", start=start), 0)
    assert [part.tolist() for part in parts] == [[0, 1], [2, 3], [4, 5]]
    parquet.write_table(pa.table({"x": range(5)}), tmp_path / "a.parquet")
    batches = resumed_anywhere(lambda start: sources.tables(f"{tmp_path}/a.parquet", rows=2, start=start), 0)
    assert [batch["x"].to_pylist() for batch in batches] == [[0, 1], [2, 3], [4]]
    assert len(list(sources.tables(f"{tmp_path}/a.parquet"))) == 1


def test_arrays_of_an_archive_come_with_their_names(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", one=np.ones(2), two=np.zeros(3))
    parts = resumed_anywhere(lambda start: sources.arrays(f"{tmp_path}/a.npz", start=start), 0)
    assert [(part["name"], part["array"].tolist()) for part in parts] == [("one", [1, 1]), ("two", [0, 0, 0])]


class Capture:
    """As `cv2.VideoCapture`: a video of three frames, where there is one."""

    made: ClassVar[list[Capture]] = []

    def __init__(self, origin: Any) -> None:
        self.frames = (
            [np.full((2, 2, 3), grey, "u1") for grey in range(3)] if origin in {"a.mp4", 0} else None
        )
        self.released = False
        self.made.append(self)

    def isOpened(self) -> bool:  # noqa: N802  as OpenCV calls it
        return self.frames is not None

    def grab(self) -> bool:
        return bool(self.frames) and self.read()[0]

    def read(self) -> tuple[bool, Any]:
        return (True, self.frames.pop(0)) if self.frames else (False, None)

    def release(self) -> None:
        self.released = True


def test_a_video_comes_frame_by_frame_and_goes_on_behind_any(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", SimpleNamespace(VideoCapture=Capture))
    frames = resumed_anywhere(lambda start: sources.video("a.mp4", start=start), 0)
    assert [int(frame[0, 0, 0]) for frame in frames] == [0, 1, 2]
    assert len(list(sources.video(0))) == 3
    with pytest.raises(ValueError, match="a camera cannot go on"):
        next(sources.video(0, start=0))
    with pytest.raises(OSError, match=r"cannot open 'none.mp4'"):
        next(sources.video("none.mp4"))
    assert Capture.made and all(each.released for each in Capture.made)


def test_without_opencv_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(EnvironmentFault, match="-m pip install opencv-python-headless"):
        next(sources.video("a.mp4"))


# ----------------------------------------------------------------------------------------------- HTTP


def post(port: int, body: bytes = b"", **headers: str) -> int:
    """The status of one answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        connection.request("POST", "/in", body, named)
        return connection.getresponse().status
    finally:
        connection.close()


def in_thread(call: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    said: list[Any] = []
    thread = threading.Thread(target=lambda: said.append(call()), daemon=True)
    thread.start()
    return thread, said


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with Mailbox("127.0.0.1", 0, largest=1000, patience=30) as mailbox:
        yield mailbox


def test_a_post_is_answered_only_when_the_next_item_is_asked_for() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    items: Any = sources.posts(port)
    first, got = in_thread(lambda: next(items))
    client, said = in_thread(lambda: _until_it_listens(port, b"one"))
    first.join(60)
    assert got == [{"path": "/in", "type": "text/plain", "body": b"one"}]
    assert client.is_alive() and not said
    second, got = in_thread(lambda: next(items))
    client.join(60)
    assert said == [202]
    assert post(port, b"two", Origin="http://elsewhere") == 403
    in_thread(lambda: _unanswered(port, b"three"))
    second.join(60)
    assert got[0]["body"] == b"three"
    items.close()
    with pytest.raises(ConnectionRefusedError):
        post(port)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5", "example.com", ""])
def test_posts_from_the_network_are_taken_only_when_told_so(host: str) -> None:
    with pytest.raises(UserError, match="would let whoever reaches this machine post, in the clear"):
        next(sources.posts(0, host=host))


def _unanswered(port: int, body: bytes) -> None:
    """The source ends first: where its process goes on, so does the wait."""
    with contextlib.suppress(OSError):
        post(port, body)


def _until_it_listens(port: int, body: bytes) -> int:
    while True:
        try:
            return post(port, body, Content_Type="text/plain")
        except ConnectionError:
            continue


def test_what_is_too_long_or_of_no_length_is_refused(mailbox: Mailbox) -> None:
    port = mailbox.server_port
    assert post(port, b"x" * 1001) == 413
    assert post(port, Content_Length="-1") == 411
    assert post(port, Content_Length="1e3") == 411
    assert mailbox.waiting.empty()
    client, said = in_thread(lambda: post(port, b"x" * 1000))
    mailbox.next().taken.set()
    client.join(60)
    assert said == [202]


def test_when_nobody_takes_them_they_are_told_to_come_again_and_are_no_items() -> None:
    with Mailbox("127.0.0.1", 0, largest=1000, patience=0.05) as mailbox:
        mailbox.waiting.put(Posted({}))  # one waits already
        assert post(mailbox.server_port, b"x") == 503
        assert mailbox.next().item == {}
        assert mailbox.waiting.empty()


def _drip(line: socket.socket) -> None:
    """Send a byte again and again, until it is closed."""
    line.settimeout(0.01)
    while True:
        try:
            line.sendall(b"P")
            if not line.recv(1):
                return
        except TimeoutError:
            continue
        except ConnectionError:
            return


def test_who_sends_a_byte_now_and_then_is_not_listened_to_for_ever() -> None:
    with (
        Mailbox("127.0.0.1", 0, largest=1000, patience=0.2) as mailbox,
        socket.create_connection(("127.0.0.1", mailbox.server_port)) as line,
    ):
        _drip(line)


def test_there_are_only_so_many_connections_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock.mailbox.CONNECTIONS", 1)
    with Mailbox("127.0.0.1", 0, largest=1000, patience=30) as mailbox:
        port = mailbox.server_port
        with socket.create_connection(("127.0.0.1", port)) as idle:
            with socket.create_connection(("127.0.0.1", port)) as other:
                assert other.recv(1) == b""
            idle.shutdown(socket.SHUT_WR)
            assert idle.recv(1) == b""
        client, said = in_thread(lambda: _until_it_listens(port, b"one"))
        mailbox.next().taken.set()
        client.join(60)
        assert said == [202]
