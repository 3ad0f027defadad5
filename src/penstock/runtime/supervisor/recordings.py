"""Runs in the supervisor: which recording goes on, and who writes it."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import TYPE_CHECKING

from penstock.errors import UserError
from penstock.observe import events
from penstock.runtime import control
from penstock.runtime.supervisor.crew import Member

if TYPE_CHECKING:
    from penstock.runtime.supervisor.archive import Archive
    from penstock.runtime.supervisor.supervisor import Supervisor


class Recordings:
    """Those of one run: one at a time."""

    def __init__(self, supervisor: Supervisor) -> None:
        """Nothing is recorded before ``begin``."""
        self._supervisor = supervisor
        self.now: Archive | None = None
        """The one that goes on."""

    def begin(self, path: str, links: Collection[int], *, from_start: bool = False) -> Archive:
        """Have all who feed ``links``, those that come later too, keep what they send in the folder ``path``.

        Raises:
            UserError: another goes on, or nothing can be written there.
        """
        from penstock.message.recording import LinkFacts, Manifest
        from penstock.runtime.supervisor.archive import Archive

        plan = self._supervisor.plan
        if self.now is not None:
            raise UserError(
                f"{plan.pipeline} is recorded already, in {self.now.path}; `penstock record --stop` ends that"
            )
        facts = [
            LinkFacts(each.id, each.label, each.source, each.target, each.port)
            for each in plan.links
            if each.id in links
        ]
        run = self._supervisor.run_dir.name
        self.now = archive = Archive(
            path, Manifest(plan.pipeline, run, time.time(), facts, from_start=from_start)
        )
        for member in self._supervisor.crew.values():
            wish = self.wish(member.number, member.stage)
            if wish is not None:
                self._supervisor.send(member.number, wish)
        return archive

    def wish(self, number: int, stage: str) -> control.Record | None:
        """What a worker of that stage is to record."""
        if self.now is None:
            return None
        links = self.now.expect(number, self._supervisor.account.out_ids(stage))
        return control.Record(links, self.now.path) if links else None

    def stop(self, *, at_end: bool = False) -> Archive | None:
        """Have all close what they write; the recording that ends so. ``at_end``: the run is over."""
        archive = self.now
        if archive is not None:
            for number in archive.stop(at_end=at_end):
                self._supervisor.send(number, control.Record([], ""))
            self._clear()
        return archive

    def heard(self, member: Member, link: int, failure: str) -> None:
        """A worker has closed its part of a link. One that had to is enough to end it all."""
        if self.now is None:
            return
        news = bool(failure) and not self.now.failure
        self.now.closed(member.number, link, failure)
        if news:
            self._tell(member, self.now)
            self.stop()
        self._clear()

    def gone(self, member: Member) -> None:
        """A worker has ended."""
        if self.now is not None:
            self.now.gone(member.number)
            self._clear()

    def _clear(self) -> None:
        if self.now is not None and self.now.finish():
            self.now = None

    def _tell(self, member: Member, archive: Archive) -> None:
        text = f"the recording in {archive.path} has ended and is not complete: {archive.failure}"
        self._supervisor.report(
            events.Noticed(
                stage=member.stage,
                replica=member.replica,
                number=member.number,
                kind="recording",
                text=text,
            )
        )
