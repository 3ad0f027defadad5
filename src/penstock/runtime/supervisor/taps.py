"""Runs in the supervisor: which links somebody looks at, and who shows samples of them."""

from __future__ import annotations

import glob
import os
from typing import TYPE_CHECKING, Any

from penstock.errors import UserError
from penstock.pipeline.plan import Plan
from penstock.runtime import control
from penstock.runtime.supervisor.crew import Member

if TYPE_CHECKING:
    from penstock.runtime.supervisor.supervisor import Supervisor

TAPPED = "a tap is of links that there are, and of more than 0 samples a second"


class Taps:
    """Those of one run: one for each link."""

    def __init__(self, supervisor: Supervisor) -> None:
        """Nothing is shown before ``show``."""
        self._supervisor = supervisor
        self.rates: dict[int, float] = {}
        """Samples a second, by the link's id."""

    def untapped(self, links: Any, rate: Any) -> list[int]:
        """``links``, each once, if they can be shown.

        Raises:
            UserError: they are none, or somebody else looks at one.
        """
        if not isinstance(rate, (int, float)) or not rate > 0:
            raise UserError(TAPPED)
        plan = self._supervisor.plan
        taken = self.rates.keys() & set(known(plan, links, TAPPED))
        if taken:
            labels = ", ".join(each.label for each in plan.links if each.id in taken)
            raise UserError(f"somebody else looks at {labels} already; wait until they are through")
        return list(dict.fromkeys(links))

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


def known(plan: Plan, links: Any, refusal: str) -> list[int]:
    """``links``, if ``plan`` has all of them.

    Raises:
        UserError: ``refusal``.
    """
    there = {link.id for link in plan.links}
    if not isinstance(links, list) or not links:
        raise UserError(refusal)
    if not all(type(link) is int and link in there for link in links):
        raise UserError(refusal)
    return links
