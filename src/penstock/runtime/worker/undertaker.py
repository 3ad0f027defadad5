"""In the worker: writes the items it owns that cannot be done to the dead letters."""

from __future__ import annotations

import os
import time
from typing import Callable

from penstock.link.ledger import Cargo
from penstock.link.link import Link
from penstock.message.arena import Mapping
from penstock.message.codec import Decoder, Encoder, join
from penstock.message.source import Source
from penstock.runtime.control import Assignment
from penstock.runtime.worker.address import addresses

BEARABLE = 160
"""Characters of a cause that people are told at once; the letter has all of them."""


class Undertaker:
    """Buries cargo. Called with the worker's lock held."""

    def __init__(self, assignment: Assignment, *, arena: str, notice: Callable[[str, str], None]) -> None:
        """``arena``: the path of this worker's own."""
        self._assignment = assignment
        self._arena = arena
        self._notice = notice
        self._addresses = addresses(assignment)

    def bury(self, link: Link, cargo: Cargo) -> bool:
        """Write one item down; whether it is on disk. Where it is not, it stays in flight."""
        run = cargo.runs[0]
        id = f"{run.origin}:{run.first}"
        assignment, address = self._assignment, self._addresses[link.id]
        try:
            from penstock.message import letter  # where all goes well, none is written

            path = letter.write(
                os.path.join(assignment.state_dir, "dead"),
                letter.Letter(
                    id=id,
                    pipeline=assignment.pipeline,
                    stage=link.target,
                    link=address.link,
                    attempts=cargo.attempt - 1,
                    failures=cargo.failures,
                    cause=cargo.cause,
                    traceback=cargo.traceback,
                    when=time.time(),
                    payload=self.whole(cargo),
                    run=assignment.run,
                    key=address.key,
                    shard=cargo.tags[0].shard if cargo.tags else 0,
                ),
            )
        except Exception as error:  # an array of more than 4 GiB, memory that is short: it is still an item
            self._notice("warning", f"the dead letter of {id} cannot be written, it stays in flight: {error}")
            return False
        times = "once" if cargo.failures == 1 else f"{cargo.failures} times"
        cause = cargo.cause if len(cargo.cause) <= BEARABLE else cargo.cause[:BEARABLE] + "..."
        self._notice("dead", f"{link.target}: {id} failed {times}, the last: {cause}  ({path.name})")
        return True

    def whole(self, cargo: Cargo) -> bytes:
        """The payload as a body that needs no arena and no frames."""
        body = join(cargo.payloads)
        if not cargo.slots and not cargo.frames:
            return body
        source = Source(Mapping(self._arena) if self._arena else None, None)
        source.frames = list(cargo.frames)
        pickles = self._assignment.allow_pickle
        value = Decoder(allow_pickle=pickles).values(body, source)[0]
        return join([Encoder(None, allow_pickle=pickles).encode(value)])
