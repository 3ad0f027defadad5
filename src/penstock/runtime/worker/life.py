"""Runs in the worker, behind ``boot``: the whole life of its process, whatever work it is given."""

from __future__ import annotations

import atexit
import logging
import os
import signal
import sys

from penstock.errors import EnvironmentFault
from penstock.pipeline.plan import GROUP, SERVICE
from penstock.runtime import control
from penstock.runtime.control import Assignment, Failed
from penstock.runtime.worker.channel import Channel, SupervisorForeign, SupervisorLost


def main(fd: int) -> None:
    """From its assignment to its end; ``fd`` is its end of the control socket. Does not return."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's to interpret
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)-7s %(name)s  %(message)s")
    status = 1
    try:
        channel = Channel(fd)
        assignment = channel.first()
        control.here = (assignment.run_dir, assignment.pipeline)
        status = _LIVES.get(assignment.kind, _on_items)(channel, assignment)
    except SupervisorLost:
        pass
    except SupervisorForeign as error:
        from penstock.runtime import boot

        boot.fault(str(error))
    atexit._run_exitfuncs()  # noqa: SLF001  what sys.exit would do, and os._exit does not
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # not sys.exit: threads of user code or of libzmq must not keep a finished worker alive


def _on_items(channel: Channel, assignment: Assignment) -> int:
    from penstock.runtime.worker import world  # jobs need no sockets
    from penstock.runtime.worker.worker import Worker

    kind = Worker
    if assignment.ear is not None:
        from penstock.runtime.worker.topics.subscribing import Subscribing

        kind = Subscribing
    try:
        worker = kind(channel, assignment, world.real())
    except EnvironmentFault as error:  # the address at which other hosts are to find it cannot be had
        channel.say(Failed(str(error), "", permanent=True))
        return 1
    status = worker.run()
    worker.close()
    return status


def _on_jobs(channel: Channel, assignment: Assignment) -> int:
    from penstock.runtime.worker.jobs.jobworker import JobWorker  # a pipeline needs none of it

    return JobWorker(channel, assignment).run()


def _on_calls(channel: Channel, assignment: Assignment) -> int:
    from penstock.runtime.worker.calls.callworker import CallWorker  # as few know jobs

    return CallWorker(channel, assignment).run()


_LIVES = {GROUP: _on_jobs, SERVICE: _on_calls}
"""Of those who take no items."""
