"""Ctrl-C that comes a moment too early for who waits for a key."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import os, signal, sys, threading
from penstock.runtime.guest import nudge

def handler(number, frame):
    raise KeyboardInterrupt

nudge.listen(handler)
# A signal that another thread takes finds the main thread as one does that comes just before it waits:
# noted, and not woken.
other = threading.Thread(target=threading.Event().wait, daemon=True)
other.start()
for _ in range(2):
    threading.Timer(0.05, signal.pthread_kill, (other.ident, signal.SIGINT)).start()
    try:
        sys.stdin.readline()
    except KeyboardInterrupt:
        print("heard", flush=True)
"""


def test_it_is_heard_every_time() -> None:
    command = [sys.executable, "-c", SCRIPT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert [process.stdout.readline() for _ in range(2)] == ["heard\n", "heard\n"]
        finally:
            process.kill()
