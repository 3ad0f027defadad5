"""Runs in the supervisor: what one worker of a group has in hand.

Of the jobs it was given it works on the first; the others wait there, and have not begun.
"""

from __future__ import annotations

import asyncio
from collections import deque

from penstock.runtime.jobs.verdicts import Ending
from penstock.runtime.jobwire import Work
from penstock.runtime.supervisor.crew import Member
from penstock.tasks.home import Home
from penstock.tasks.job import Claim


class Held:
    """A job that a worker was given."""

    def __init__(self, claim: Claim, log: str) -> None:
        self.claim = claim
        self.log = log
        self.ending: Ending | None = None
        self.timers: list[asyncio.TimerHandle] = []

    def disarm(self) -> None:
        """Nothing is due any more."""
        for timer in self.timers:
            timer.cancel()
        self.timers.clear()


class Post:
    """One worker of a group, ready for jobs."""

    def __init__(self, member: Member, group: str) -> None:
        self.member = member
        self.group = group
        self.held: deque[Held] = deque()
        self.is_used = False
        """It has had a job, so what needs a process of its own is not for it."""
        self.leaves = False
        """It gets nothing more: a new process is to take its place."""

    @property
    def number(self) -> int:
        """Its own in the run."""
        return self.member.number

    @property
    def label(self) -> str:
        """How people name it."""
        return f"{self.member.stage}/{self.member.replica}"

    @property
    def first(self) -> Held | None:
        """What it works on."""
        return self.held[0] if self.held else None

    def find(self, id: str, fence: int | None = None) -> Held | None:
        """That job, if it was given it."""
        for held in self.held:
            if held.claim.id == id and fence in {None, held.claim.fence}:
                return held
        return None


def work_of(claim: Claim, home: Home, log: str) -> Work:
    """What its worker is told of a job."""
    return Work(
        id=claim.id,
        fence=claim.fence,
        task=claim.task,
        attempt=claim.failures + claim.preemptions + 1,
        failures=claim.failures,
        args=claim.args,
        args_path=claim.args_path,
        log=log,
        results=home.files,
        out=home.draft(claim.id, claim.fence),
        resume_uri=claim.resume_uri,
        resume_step=claim.resume_step,
        isolate=claim.rules.isolate,
    )
