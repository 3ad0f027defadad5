"""Runs in the supervisor: which recording goes on, and who writes it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection
from functools import partial
from typing import TYPE_CHECKING

from penstock.errors import UserError
from penstock.observe import events
from penstock.runtime import control
from penstock.runtime.supervisor.crew import Member

if TYPE_CHECKING:
    from penstock.runtime.hosts.baggage import Baggage
    from penstock.runtime.supervisor.archive import Archive
    from penstock.runtime.supervisor.supervisor import Supervisor

ASTRAY = "what worker {} has recorded on another host is not here: that host was lost, or the disk is full"


class Recordings:
    """Those of one run: one at a time."""

    def __init__(self, supervisor: Supervisor) -> None:
        """Nothing is recorded before ``begin``."""
        self._supervisor = supervisor
        self.now: Archive | None = None
        """The one that goes on."""
        self._coming: set[tuple[int, int]] = set()
        """What is on its way from other hosts, by worker and link."""

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
                self._supervisor.send(member.number, self._there(member, wish))
        return archive

    def _there(self, member: Member, wish: control.Record) -> control.Record:
        """As it is told where the worker is: on another host it writes into a folder there."""
        bags = self._baggage(member)
        return wish if bags is None else control.Record(wish.links, bags.recording(wish.path))

    def _baggage(self, member: Member) -> Baggage | None:
        hosts = self._supervisor.hosts
        return hosts.baggage(member.child.host) if hosts is not None and member.child.host else None

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
        self._bring(member, link, partial(self._closed, self.now, member.number, link, failure))
        if news:
            self._tell(member, self.now, failure)
            self.stop()
        self._clear()

    def gone(self, member: Member) -> None:
        """A worker has ended."""
        if self.now is None:
            return
        for link in self.now.open(member.number):
            if (member.number, link) not in self._coming:
                self._bring(member, link, partial(self._died, self.now, member.number, link))
        self._clear()

    def _bring(self, member: Member, link: int, then: Callable[[bool], None]) -> None:
        """What a worker on another host has written is brought here first; ``then``: whether it is here."""
        bags = self._baggage(member)
        if not member.child.host:
            then(True)
        elif bags is None or self.now is None:
            then(False)
        else:
            from penstock.message import segment  # plain pipelines do without

            name = segment.file_name(link, member.number)
            there = os.path.join(bags.folder(self.now.path), name)
            self._coming.add((member.number, link))
            bags.fetch(there, os.path.join(self.now.path, name), then)

    def _closed(self, archive: Archive, number: int, link: int, failure: str, is_here: bool) -> None:  # noqa: FBT001  of a callback
        self._coming.discard((number, link))
        archive.closed(number, link, failure or ("" if is_here else ASTRAY.format(number)))
        self._clear()

    def _died(self, archive: Archive, number: int, link: int, is_here: bool) -> None:  # noqa: FBT001  of a callback
        self._coming.discard((number, link))
        archive.gone(number, link)
        if not is_here:
            archive.failure = archive.failure or ASTRAY.format(number)
        self._clear()

    def _clear(self) -> None:
        if self.now is not None and self.now.finish():
            self.now = None

    def _tell(self, member: Member, archive: Archive, failure: str) -> None:
        text = f"the recording in {archive.path} has ended and is not complete: {failure}"
        self._supervisor.report(
            events.Noticed(
                stage=member.stage,
                replica=member.replica,
                number=member.number,
                kind="recording",
                text=text,
            )
        )
