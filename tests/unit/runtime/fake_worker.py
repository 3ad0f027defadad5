"""A worker that handles no items: it says what a real one says, and misbehaves as its stage's code is called.

Started in place of the real one by an `interpreter=` that ignores which file it is given (see `conftest`).
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

import msgspec

from penstock.observe import page
from penstock.observe.page import Page
from penstock.runtime import control

_decode = msgspec.msgpack.Decoder(control.ToWorker).decode


class FakeWorker:
    def __init__(self, fd: int) -> None:
        os.set_inheritable(fd, False)
        self.line = socket.socket(fileno=fd)
        self.data = bytearray()
        self.queue: list[control.ToWorker] = []
        first = self.hear()
        assert isinstance(first, control.Assignment)
        self.assignment = first

    def hear(self) -> control.ToWorker:
        while not self.queue:
            data = self.line.recv(65536)
            if not data:
                sys.exit(0)
            self.data += data
            self.queue += [_decode(body) for body in control.split(self.data)]
        return self.queue.pop(0)

    def say(self, message: control.ToSupervisor) -> None:
        self.line.sendall(control.frame(message))

    def run(self) -> None:
        self.page = Page(control.paths(self.assignment.run_dir, self.assignment.number)[2], create=True)
        for path in control.paths(self.assignment.run_dir, self.assignment.number)[:2]:
            with open(path, "w"):
                pass
        print("hello from", self.assignment.label, flush=True)
        getattr(self, self.assignment.code.name)()

    def start(self) -> None:
        self.say(control.Bound(os.getpid(), "3.11", version=control.VERSION))
        self.page.words[page.STATE] = page.READY
        self.say(control.Ready())

    def obey(self) -> None:
        while True:
            message = self.hear()
            print(message, flush=True)
            if isinstance(message, control.Drain):
                self.say(control.Finished())
                return
            if isinstance(message, control.Stop):
                return

    # What a stage's code may be called.

    def well(self) -> None:
        """Does all it is told."""
        self.start()
        self.obey()

    def source_of_ten(self) -> None:
        """Sends ten items, of which all settle, and is through."""
        self.start()
        self.page.words[page.link_word(0, page.SENT)] = 10
        self.page.words[page.link_word(0, page.SETTLED)] = 10
        self.page.words[page.ITEMS] = 10
        self.say(control.Finished())

    def source_in_flight(self) -> None:
        """Sends ten items, of which three are never settled."""
        self.page.words[page.link_word(0, page.SENT)] = 10
        self.page.words[page.link_word(0, page.SETTLED)] = 7
        self.start()
        self.obey()

    def setup_raises(self) -> None:
        self.say(control.Bound(os.getpid(), "3.11", version=control.VERSION))
        self.say(control.Failed("ValueError: no model", "Traceback ...\nValueError: no model"))

    def of_another_version(self) -> None:
        """What a worker of an older penstock says."""
        self.say(control.Bound(os.getpid(), "3.11"))
        self.obey()

    def never_ready(self) -> None:
        print("loading a very large model", flush=True)
        self.say(control.Bound(os.getpid(), "3.11", version=control.VERSION))
        time.sleep(600)

    def deaf(self) -> None:
        """Ready, and never listens again."""
        self.start()
        time.sleep(600)

    def crash_once(self) -> None:
        """The first replica 0 of a run dies with an item of its first sender in hand."""
        marker = os.path.join(self.assignment.run_dir, "crashed")
        self.start()
        if os.path.exists(marker):
            self.obey()
            return
        connect = self.hear()
        assert isinstance(connect, control.Connect)
        words = self.page.words
        words[page.SENDER], words[page.LINK], words[page.BATCH], words[page.INDEX] = (
            connect.peer,
            connect.link,
            5,
            2,
        )
        words[page.STARTED] = time.monotonic_ns()
        with open(marker, "w"):
            pass
        os.kill(os.getpid(), signal.SIGSEGV)

    def hang(self) -> None:
        """Stays in its first item for ever."""
        self.start()
        self.page.words[page.STARTED] = time.monotonic_ns()
        self.obey()

    def nonsense(self) -> None:
        self.start()
        self.line.sendall(b"\xff\xff\xff\x7f nonsense")
        time.sleep(600)

    def with_children(self) -> None:
        """Starts a process of its own, and one in a session of its own."""
        for detached in (False, True):
            child = subprocess.Popen(["sleep", "600"], start_new_session=detached)
            with open(os.path.join(self.assignment.state_dir, "children"), "a") as file:
                file.write(f"{child.pid}\n")
        self.well()


if __name__ == "__main__":
    FakeWorker(int(sys.argv[-2])).run()
