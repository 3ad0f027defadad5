"""In the process of ``condahelper``: which packages are what is asked for?"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import rattler
from rattler.exceptions import InvalidMatchSpecError, SolverError

from penstock.environments import condaterms
from penstock.environments import condawire as wire
from penstock.environments.condaterms import Refused
from penstock.environments.lock import CondaRecord

Say = Callable[[wire.Word], None]
SOLVE_SECONDS = 600
"""A solve that takes longer finds nothing."""


async def solve(question: wire.Solve, say: Say) -> wire.Solved:
    """The packages that are what is asked for.

    Raises:
        Refused: there are none.
    """
    specs = [_spec(text, index) for index, text in enumerate(question.specs)]
    addresses = {each.name: condaterms.address(each) for each in question.channels}
    gateway = rattler.Gateway(
        cache_dir=Path(question.cache) / "repodata",
        client=condaterms.client(condaterms.config(question.channels)),
        default_config=rattler.SourceConfig(
            cache_action="force-cache-only" if question.offline else "cache-or-fetch"
        ),
    )
    view = _View(gateway, [condaterms.channel(each) for each in question.channels], question.platform)
    say(wire.Phase("solving"))
    try:
        records = await rattler.solve(
            sources=view.sources,
            specs=specs,
            gateway=gateway,
            platforms=view.subdirs,
            locked_packages=[condaterms.theirs(each, addresses) for each in question.kept],
            virtual_packages=condaterms.virtual(question.platform),
            channel_priority=rattler.ChannelPriority.Strict,
            timeout=timedelta(seconds=SOLVE_SECONDS),
        )
    except SolverError as error:
        await _refuse_unknown(specs, view)
        raise Refused("unsatisfiable", str(error)) from None
    names = {address: name for name, address in addresses.items()}
    found = [condaterms.ours(each, names) for each in records]
    await _refuse_passed_over(found, specs, [each.name for each in question.channels], view)
    return wire.Solved(found)


def _spec(text: str, index: int) -> rattler.MatchSpec:
    try:
        return rattler.MatchSpec(text)
    except InvalidMatchSpecError as error:
        raise Refused("spec", str(error), index) from None


class _View(NamedTuple):
    """What channels have for a platform."""

    gateway: rattler.Gateway
    sources: list[rattler.Channel]
    platform: str

    @property
    def subdirs(self) -> list[rattler.Subdir]:
        return [rattler.Subdir(self.platform), rattler.Subdir("noarch")]

    async def names(self, channels: int) -> set[str]:
        """Of the packages that the first so many channels have."""
        found = await self.gateway.names(sources=self.sources[:channels], platforms=self.subdirs)
        return {each.normalized for each in found}


async def _refuse_passed_over(
    records: Sequence[CondaRecord], specs: Sequence[rattler.MatchSpec], channels: Sequence[str], view: _View
) -> None:
    """rattler passes a channel over that has the package, but not as it is asked for. Who puts a channel
    first wants its packages and no others of their names, whoever publishes them elsewhere."""
    chosen = {each.name.normalized for each in specs if each.channel is not None}
    places = {name: place for place, name in enumerate(channels)}
    for record in records:
        place = places.get(record.channel, 0)
        if place and record.name not in chosen and record.name in await view.names(place):
            raise Refused(
                "unsatisfiable",
                f"a channel before {record.channel} has {record.name!r}, but not as it is asked for;"
                f" write '{record.channel}::{record.name}' to take {record.version} from there",
            )


async def _refuse_unknown(specs: Sequence[rattler.MatchSpec], view: _View) -> None:
    """Where a package is in none of the channels, that is what to say, and which one may have been meant."""
    names = await view.names(len(view.sources))
    for index, spec in enumerate(specs):
        name = spec.name.normalized
        if name.replace("-", "").isidentifier() and not name.startswith("__") and name not in names:
            close = difflib.get_close_matches(name, names, 1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise Refused(
                "unsatisfiable",
                f"there is no package {name!r} for {view.platform} in its channels{hint}",
                index,
            )
