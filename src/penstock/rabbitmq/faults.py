"""What the library raises, in words of ours: where, what, and what to do. No password is in any of them."""

from __future__ import annotations

import asyncio
import os
import re
import ssl
import struct
from typing import Awaitable, TypeVar

from penstock.errors import (
    BrokerAway,
    BrokerFault,
    BrokerLost,
    PenstockError,
    TimedOut,
    Unroutable,
    UserError,
)
from penstock.rabbitmq.url import BrokerUrl

ANSWER = 30.0
"""Seconds for which the broker is waited for."""
VHOST_CURE = "`penstock broker init` as an administrator sees to both"
UNSAID = "it has ended the connection"

UNWRITABLE = (TypeError, ValueError, struct.error)
"""What a message raises that is none, by its headers, key or texts: the next try would raise it again."""

Found = TypeVar("Found")


async def answered(asked: Awaitable[Found], url: BrokerUrl) -> Found:
    """What the broker answers.

    Raises:
        BrokerLost: the connection has ended.
        BrokerFault: it refuses.
        TimedOut: it says nothing.
    """
    try:
        found = await asked
    except TimeoutError:
        raise TimedOut(f"the broker at {url.place} has not answered within {ANSWER:g} s") from None
    except asyncio.CancelledError as error:
        raise lost_not_cancelled(url, error) from None
    except Exception as error:
        raise refusal(url, error) from error
    if is_cancelled():
        raise asyncio.CancelledError  # `wait_for` of Python 3.11 forgets that where the answer comes as well
    return found


def lost_not_cancelled(url: BrokerUrl, error: asyncio.CancelledError) -> BaseException:
    """What a cancellation stands for.

    The library ends what waits by a cancellation when a connection has been silent for too long, or was
    closed. Taken as one it would end our task, and nobody would make a new connection.
    """
    return error if is_cancelled() else BrokerLost(f"the broker at {url.place}: {UNSAID}")


def is_cancelled() -> bool:
    """Whether somebody wants our own task to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def refusal(url: BrokerUrl, error: BaseException) -> BrokerFault:
    """Of something that was asked on a connection."""
    from aiormq import exceptions

    kind = BrokerFault if isinstance(error, exceptions.ChannelClosed) else BrokerLost
    return kind(f"the broker at {url.place}: {why(error)}")


def not_published(url: BrokerUrl, exchange: str, key: str, error: BaseException) -> PenstockError:
    """Of a message."""
    from aiormq import exceptions

    if isinstance(error, exceptions.PublishError):
        return Unroutable(f"the broker at {url.place} has no queue for {key!r} in {exchange}")
    if isinstance(error, exceptions.DeliveryError):
        return BrokerAway(
            f"the broker at {url.place} does not take {key!r} in {exchange} now: "
            "a queue is full, or has no leader at the moment"
        )
    if isinstance(error, UNWRITABLE):
        return UserError(f"a message for {key[:80]!r} cannot be written for a broker: {short(error)}")
    return refusal(url, error)


def not_connected(url: BrokerUrl, error: BaseException) -> BrokerFault:
    """Of a connection that was not made."""
    kind = BrokerAway if _unreached(error) else BrokerFault
    return kind(f"{url}: {_stage(url, error)}")


def _stage(url: BrokerUrl, error: BaseException) -> str:
    """How far it came, and what to do."""
    from aiormq import exceptions

    if isinstance(error, exceptions.ProbableAuthenticationError):
        who = f"user {url.user!r}" if url.user else "the certificate"
        if "localhost" in str(error):
            return f"{who} may log in from the broker's own machine alone; use another user"
        proof = "certificate" if url.external else "password"
        return f"the broker does not let {who} in: is the {proof} right?"
    if isinstance(error, exceptions.AuthenticationError):
        return (
            "the broker takes no certificate for a login: it needs rabbitmq_auth_mechanism_ssl and EXTERNAL"
        )
    if isinstance(error, exceptions.InvalidFrameError) and "Connection.OpenOk" in str(error):
        # All that is left by the library of a refusal at the last step; the words of the broker are lost.
        who = f"user {url.user!r}" if url.user else "the certificate's user"
        return f"there is no virtual host {url.vhost!r}, or {who} has no leave to use it; {VHOST_CURE}"
    cause = error.__cause__ or error
    if isinstance(cause, ssl.SSLError):
        return _tls(cause)
    if isinstance(error, TimeoutError) or isinstance(cause, TimeoutError):
        return "nobody answers in the language of RabbitMQ; is that the right host and port?"
    if _unreached(error):
        return f"cannot be reached: {short(cause)}"
    return f"what answers there is not RabbitMQ, or not at this port (it has 5672, with TLS 5671){_hint(url)}"


def _unreached(error: BaseException) -> bool:
    """Whether there was nobody to talk to: the next time there may be."""
    cause = error.__cause__ or error
    return isinstance(cause, OSError) and not isinstance(
        cause, (ConnectionResetError, ssl.SSLError, TimeoutError)
    )


def _tls(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the broker's certificate is not to be trusted: {error.verify_message}; say ca= whose it is"
    reason = (error.reason or short(error)).replace("_", " ").lower()
    if "wrong version" in reason or "record layer" in reason:
        return "that port speaks no TLS; is it amqp:// in place of amqps://?"
    return f"TLS was not agreed upon: {reason}; a broker may want a certificate of ours, cert= and key="


def _hint(url: BrokerUrl) -> str:
    return "" if url.tls else "; if it speaks TLS, write amqps://"


def why(error: BaseException | None) -> str:
    """Why something has ended, in the broker's words where it has said any."""
    from aiormq import exceptions

    if error is None or isinstance(error, asyncio.CancelledError):
        return UNSAID
    if isinstance(error, exceptions.ChannelInvalidStateError) or not str(error):
        return UNSAID
    if isinstance(error, OSError) and error.__cause__ is not None:
        return short(error.__cause__)
    words = [
        str(each) for each in error.args if isinstance(each, (str, int)) and str(each) not in {"0", "None"}
    ]
    return " ".join(words) or UNSAID


def short(error: BaseException) -> str:
    """One line of it."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    found = re.search(r"\[Errno (\d+)\]", str(error))
    if "Connect call failed" in said and found:
        # asyncio's words for whatever the kernel said, once for each address of a name.
        said = os.strerror(int(found[1]))
    return (said or type(error).__name__).splitlines()[0]
