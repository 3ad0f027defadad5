"""Runs in the worker, behind ``boot``: the whole life of its process, whatever work it is given."""

from __future__ import annotations

import atexit
import logging
import os
import signal
import sys

from penstock.pipeline.plan import GROUP
from penstock.runtime.channel import Channel, SupervisorLost
from penstock.runtime.control import Assignment


def main(fd: int) -> None:
    """From its assignment to its end; ``fd`` is its end of the control socket. Does not return."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's to interpret
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)-7s %(name)s  %(message)s")
    status = 1
    try:
        channel = Channel(fd)
        assignment = channel.first()
        status = (_on_jobs if assignment.kind == GROUP else _on_items)(channel, assignment)
    except SupervisorLost:
        pass
    atexit._run_exitfuncs()  # noqa: SLF001  what sys.exit would do, and os._exit does not
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # not sys.exit: threads of user code or of libzmq must not keep a finished worker alive


def _on_items(channel: Channel, assignment: Assignment) -> int:
    from penstock.runtime import world  # jobs need no sockets
    from penstock.runtime.worker import Worker

    worker = Worker(channel, assignment, world.real())
    status = worker.run()
    worker.close()
    return status


def _on_jobs(channel: Channel, assignment: Assignment) -> int:
    from penstock.runtime.jobworker import JobWorker  # a pipeline needs none of it

    return JobWorker(channel, assignment).run()
