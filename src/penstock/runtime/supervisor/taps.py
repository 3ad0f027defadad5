"""Runs in the supervisor: which links somebody looks at, and who shows samples of them."""

from __future__ import annotations

import glob
import os
from typing import TYPE_CHECKING

from penstock.runtime import control
from penstock.runtime.supervisor.crew import Member

if TYPE_CHECKING:
    from penstock.runtime.supervisor.supervisor import Supervisor


class Taps:
    """Those of one run: one for each link."""

    def __init__(self, supervisor: Supervisor) -> None:
        """Nothing is shown before ``show``."""
        self._supervisor = supervisor
        self.rates: dict[int, float] = {}
        """Samples a second, by the link's id."""

    def show(self, link: int, rate: float) -> None:
        """Have all who feed ``link``, those that come later too, show ``rate`` samples a second."""
        self.rates[link] = rate
        self._tell_all(link, rate)

    def end(self, link: int) -> None:
        """Nobody looks any more."""
        del self.rates[link]
        self._tell_all(link, 0.0)
        for path in glob.glob(f"{glob.escape(self._supervisor.run_dir.path)}/*.{link}.tap"):
            if self._is_afar(int(os.path.basename(path).partition(".")[0])):
                os.unlink(path)  # a worker takes its own away

    def _is_afar(self, number: int) -> bool:
        member = self._supervisor.crew.get(number)
        return member is None or bool(member.child.host)

    def welcome(self, member: Member) -> None:
        """A worker is there, and can hear what it is to show."""
        for link, rate in self.rates.items():
            self._tell(member, link, rate)

    def _tell_all(self, link: int, rate: float) -> None:
        for member in self._supervisor.crew.values():
            self._tell(member, link, rate)

    def _tell(self, member: Member, link: int, rate: float) -> None:
        if link in self._supervisor.account.out_ids(member.stage):
            member.line.send(control.Tap(link, rate))
