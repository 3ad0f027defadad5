"""Posts into a running pipeline: each answered when it is an item, and Ctrl-C ends the wait for more."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

APP = """
from pathlib import Path

from penstock import Pipeline, sink, source, sources


@source
def inbox():
    yield from sources.posts(PORT)


@sink
def keep(post):
    with Path(__file__).with_name("out.txt").open("ab") as file:
        file.write(post["body"] + b"\\n")


pipeline = Pipeline("inbox", inbox >> keep)

if __name__ == "__main__":
    raise SystemExit(pipeline.run())
"""


def post(port: int, body: bytes) -> int:
    """The status; 0 where nobody listens yet."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", "/", body)
        return connection.getresponse().status
    except ConnectionRefusedError:
        return 0
    finally:
        connection.close()


def test_every_post_that_was_answered_is_done_before_the_pipeline_ends(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    app = tmp_path / "app.py"
    app.write_text(APP.replace("PORT", str(port)))
    run = subprocess.Popen([sys.executable, str(app)], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    try:
        limit = time.monotonic() + 60
        while (status := post(port, b"0")) == 0:
            assert time.monotonic() < limit and run.poll() is None
        answers = [status] + [post(port, b"%d" % number) for number in range(1, 30)]
        run.send_signal(signal.SIGINT)
        _, said = run.communicate(timeout=60)
    finally:
        run.kill()
        run.wait()
    assert answers == [202] * 30
    assert run.returncode == 0, said
    assert "30 in, 30 out, 0 lost, 0 dead" in said
    kept = (tmp_path / "out.txt").read_text().split()
    assert kept == [str(number) for number in range(30)]
