"""Runs in the supervisor: a run is opened to other hosts, and people are told how they join."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from penstock.errors import EnvironmentFault, UserError
from penstock.patterns.endpoint import read
from penstock.pipeline.place import near
from penstock.runtime.hosts.hosts import Hosts
from penstock.runtime.hosts.switchboard import Answer, Switchboard
from penstock.runtime.policy.rights import Role
from penstock.security.curve import new_pair, standing
from penstock.security.joinkey import NAME, ROLE, JoinKey, RunKeyring
from penstock.security.keys import OWNER, Keyring

if TYPE_CHECKING:
    from penstock.runtime.supervisor.supervisor import Supervisor

TIMEOUT = 10.0
"""Seconds of silence after which a host is taken for lost, unless said."""


class Listen(NamedTuple):
    """What was asked for."""

    endpoint: str
    timeout: float = TIMEOUT
    all_interfaces: bool = False
    ports: str = ""
    """At which its workers are found, ``7800-7809``; empty: any."""


class Listening:
    """Of one run, from before its first worker to after its last."""

    def __init__(
        self, supervisor: Supervisor, wish: Listen, app: str, say: Callable[[str], None], *, answer: Answer
    ) -> None:
        """Make the keys; nobody is let in before ``start``. ``answer``: to questions from other machines.

        Raises:
            UserError: the endpoint is none, or open to all without that being said.
        """
        _check(wish)
        self._state = supervisor.state_dir.path
        self._say = say
        invited = new_pair()
        keyring = RunKeyring(Keyring(), new_pair(), invited)
        self._key = JoinKey(invited, keyring.own.public)
        admits = keyring.admitting(ROLE, OWNER, Role.OBSERVER.value)
        self._key_file = os.path.join(self._state, NAME)
        self.hosts = supervisor.hosts = Hosts(
            supervisor,
            listen=wish.endpoint,
            curve=admits,
            pair=new_pair(),
            app=app,
            timeout=wish.timeout,
            switchboard=Switchboard(answer, stands=standing(admits), timeout=wish.timeout),
            all_interfaces=wish.all_interfaces,
            ports=wish.ports,
        )

    def start(self) -> None:
        """Let agents in, and say how.

        Raises:
            UserError: that cannot be bound.
            EnvironmentFault: the key file cannot be written.
        """
        endpoint = self.hosts.start()
        try:
            self._key.write(self._key_file)
        except OSError as error:
            raise EnvironmentFault(f"no key can be kept in {self._state}: {error.strerror}") from None
        self._say(f"hosts may join:  penstock join {endpoint} --key-file {near(self._key_file)}")
        self._say(
            "                 (copy that file there, for its owner alone; it lasts as long as this run)"
        )

    async def close(self) -> None:
        """Nobody may any more."""
        with suppress(OSError):
            os.unlink(self._key_file)
        await self.hosts.close()


def _check(wish: Listen) -> None:
    endpoint = read(wish.endpoint)
    if endpoint.transport != "tcp":
        raise UserError(f"--listen {wish.endpoint}: hosts join by tcp; write tcp://ADDRESS:PORT")
    if endpoint.on_all_interfaces and not wish.all_interfaces:
        raise UserError(
            f"--listen {wish.endpoint} would listen on all interfaces; name one address of this machine, or"
            " say --all-interfaces as well"
        )
