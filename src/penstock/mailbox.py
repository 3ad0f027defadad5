"""A small HTTP server that takes what is posted, one after the other, at the pace of who empties it."""

from __future__ import annotations

import http.server
import io
import queue
import socket
import threading
import time
from typing import Any, Dict

MOST = 64
"""Requests at a time; one more is refused with 503."""
CONNECTIONS = 4 * MOST
"""Each has a thread, also those that have not said yet what they want; one more is closed at once."""


class _Hasty(io.RawIOBase):
    """Reads from a connection until so many seconds are over, however slowly it comes."""

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        self._connection = connection
        self._end = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)


class Posted:
    """One request, until it is answered."""

    def __init__(self, item: Dict[str, Any]) -> None:
        self.item = item
        self.taken = threading.Event()


class _Handler(http.server.BaseHTTPRequestHandler):
    """One request, in a thread of its own."""

    server: Mailbox
    server_version = "penstock"
    sys_version = ""

    def setup(self) -> None:
        super().setup()
        # A time-out for each read would let whoever sends a byte now and then keep one of our threads.
        self.rfile = io.BufferedReader(_Hasty(self.connection, self.server.patience))

    def do_POST(self) -> None:
        """See ``sources.posts``."""
        if not self.server.room.acquire(blocking=False):
            self._answer(503)
            return
        try:
            status = self._refused() or self._deliver()
        finally:
            self.server.room.release()
        self._answer(status)

    def _refused(self) -> int:
        length = self.headers.get("Content-Length", "")
        if "Origin" in self.headers:  # a browser, on behalf of some page
            return 403
        if not (length.isascii() and length.isdigit() and len(length) < 20):
            return 411
        return 413 if int(length) > self.server.largest else 0

    def _deliver(self) -> int:
        size = int(self.headers["Content-Length"])
        body = self.rfile.read(size)
        if len(body) != size:
            return 400
        posted = Posted({"path": self.path, "type": self.headers.get("Content-Type", ""), "body": body})
        try:
            self.server.waiting.put(posted, timeout=self.server.patience)
        except queue.Full:
            return 503
        posted.taken.wait()  # when the pipeline ends first, so does this thread, without an answer
        return 202

    def _answer(self, status: int) -> None:
        self.close_connection = True
        self.send_response(status)
        if status == 503:
            self.send_header("Retry-After", "1")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the ledger counts what came."""


class Mailbox(http.server.ThreadingHTTPServer):
    """Listens until the end of ``with``."""

    block_on_close = False

    def __init__(self, host: str, port: int, *, largest: int, patience: float) -> None:
        """See ``sources.posts``."""
        super().__init__((host, port), _Handler)
        self.largest = largest
        self.patience = patience
        self.waiting: queue.Queue[Posted] = queue.Queue(1)
        self.room = threading.BoundedSemaphore(MOST)
        self._connections = threading.BoundedSemaphore(CONNECTIONS)
        threading.Thread(target=self.serve_forever, name="mailbox", daemon=True).start()

    def __exit__(self, *error: object) -> None:
        self.shutdown()
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve it in a thread of its own, if there is one left."""
        if self._connections.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """In that thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._connections.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is not our fault, and not worth a traceback."""

    def next(self) -> Posted:
        """The next that came; waits for it."""
        return self.waiting.get()
