"""What ready-made sinks write, and that a second delivery changes nothing of it."""

from __future__ import annotations

import json
import math
import os
import socket
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from penstock import EnvironmentFault, Reject, Retry, sinks

ID = "camera/0:17"


def test_lines_are_text_or_json_and_each_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    for values in (["eins", "zwei\nzeilig"], [{"a": math.nan, 1: np.float32(2)}, [None, (1, 2)]]):
        out = sinks.Lines(str(path))
        for value in values:
            assert out.write(value)
        out.close()
    lines = path.read_text().splitlines()
    assert lines == ["eins", "zwei zeilig", '{"a": "nan", "1": 2.0}', "[null, [1, 2]]"]


def test_lines_with_ids_are_there_once_however_often_they_come(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text('{"id": "camera/0:1", "value": 1}\n{"id": "camera/0:2", "val')  # torn by a full disk
    out = sinks.Lines(str(path), ids=True)
    assert [out.write(number, f"camera/0:{number}") for number in (1, 2, 2, 3)] == [False, True, False, True]
    out.close()
    lines = path.read_text().splitlines()
    assert [json.loads(line) for line in (lines[0], *lines[2:])] == [
        {"id": f"camera/0:{number}", "value": number} for number in (1, 2, 3)
    ]
    again = sinks.Lines(str(path), ids=True)
    assert not again.write(3, "camera/0:3")
    again.close()


def test_a_file_is_named_by_its_item_and_written_again_in_its_place(tmp_path: Path) -> None:
    out = sinks.Files(str(tmp_path / "made"), ".txt")
    path = out.write("one", ID)
    assert path == str(tmp_path / "made" / "camera-0.17.txt")
    assert out.write(b"two", ID) == path
    assert Path(path).read_text() == "two"

    def fail(file: Any) -> None:
        file.write(b"half")
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space"):
        out.put(ID, fail)
    assert Path(path).read_text() == "two"
    assert os.listdir(tmp_path / "made") == ["camera-0.17.txt"]
    ids = ("a/0:1", "a/0:1:2", "a/0+1:1", "2~a/0:1", "a/0:b c%:1", "a/0:../x")
    names = [sinks.name_of(id) for id in ids]
    assert len(set(names)) == len(names) and not any("/" in name for name in names)


def test_arrays_images_and_tables_are_what_their_libraries_read(tmp_path: Path) -> None:
    arrays = sinks.Arrays(str(tmp_path))
    value = np.arange(6).reshape(2, 3)
    assert np.array_equal(np.load(arrays.write(value, ID)), value)
    with np.load(arrays.write({"a": value, "b": value[0]}, "camera/0:18")) as many:
        assert many.files == ["a", "b"] and np.array_equal(many["b"], value[0])
    with pytest.raises(ValueError, match="allow_pickle"):
        arrays.write(np.array([object()]), "camera/0:19")
    images = sinks.Images(str(tmp_path), "png")
    for image, size in ((np.full((2, 3, 3), 7, "u1"), (3, 2)), (Image.new("L", (4, 4)), (4, 4))):
        with Image.open(images.write(image, ID)) as read:
            assert read.size == size
    tables = sinks.Tables(str(tmp_path / "t"), compression="zstd")
    rows = {"x": [1, 2]}
    for number, same in enumerate(
        (rows, [{"x": 1}, {"x": 2}], pa.table(rows), pa.record_batch(rows), pd.DataFrame(rows))
    ):
        assert parquet.read_table(tables.write(same, f"a/0:{number}"))["x"].to_pylist() == [1, 2]
    assert parquet.read_table(tmp_path / "t").num_rows == 10
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


def test_a_library_that_is_missing_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(EnvironmentFault, match=r"sinks.Tables needs pyarrow.*-m pip install pyarrow$"):
        sinks.Tables(str(tmp_path))


class Answering(HTTPServer):
    """Answers as it was told, and keeps what came."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[int] = []
        self.came: list[tuple[str | None, str | None, bytes]] = []


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Answering)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.came.append((self.headers["Content-Type"], self.headers["Idempotency-Key"], body))
        status = self.server.answers.pop(0)
        self.send_response(status)
        self.send_header("Content-Length", "4")
        self.send_header("Retry-After", "7")
        self.end_headers()
        self.wfile.write(b"said")

    def log_message(self, *_: Any) -> None:
        """Not here."""


@pytest.fixture
def answering() -> Iterator[Answering]:
    with Answering() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_posts_are_json_or_bytes_with_the_id_as_key(answering: Answering) -> None:
    out = sinks.Posts(f"http://127.0.0.1:{answering.server_port}/in")
    answering.answers = [200, 201]
    assert [out.write({"a": math.inf}, ID), out.write(b"raw", ID)] == [200, 201]
    assert answering.came == [
        ("application/json", ID, b'{"a": "inf"}'),
        ("application/octet-stream", ID, b"raw"),
    ]


def test_a_no_is_final_and_a_fault_is_tried_again(answering: Answering) -> None:
    out = sinks.Posts(f"http://127.0.0.1:{answering.server_port}/in")
    answering.answers = [503, 429, 404]
    for _ in range(2):
        with pytest.raises(Retry, match="answered") as again:
            out.write(1, ID)
        assert again.value.after == "7s"
    with pytest.raises(Reject, match="answered 404 Not Found: said"):
        out.write(1, ID)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = sinks.Posts(f"http://127.0.0.1:{free.getsockname()[1]}")
        with pytest.raises(Retry, match="refused"):
            nobody.write(1, ID)
    with pytest.raises(ValueError, match="begins with http"):
        sinks.Posts("file:///etc/passwd")
