"""Where the broker is, and as whom one goes there: one line of text.

    amqp://ps-api@broker.example/penstock?password_file=/run/secrets/ps-api
    amqps://broker.example?ca=ca.pem&cert=worker.pem&key=worker.key
    amqp://ps-api@n1,n2,n3/penstock?password_env=PW          the nodes of a cluster, whichever answers

A password by reference is read when the connection is made, and again for each further one, so it can be
changed. One that stands in the line itself counts, too; but a line is seen by others: in a list of processes,
in a shell's history.
"""

from __future__ import annotations

import os
from typing import Mapping, NoReturn
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

import msgspec

from penstock.errors import UserError
from penstock.pipeline.duration import seconds
from penstock.pipeline.nearest import nearest
from penstock.pipeline.secret import Secret

USUAL_VHOST = "penstock"
USUAL_PORTS = {"amqp": 5672, "amqps": 5671}
USUAL_MANAGEMENT = {"amqp": ("http", 15672), "amqps": ("https", 15671)}
OPTIONS = ("password_file", "password_env", "ca", "cert", "key", "management", "consumer_timeout", "timeout")
EXAMPLE = "amqps://USER@HOST/penstock?password_file=PATH"
SHOWN = "***"


class BrokerUrl(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of the line. To be made by ``parse``."""

    host: str
    port: int
    others: tuple[tuple[str, int], ...] = ()
    """Hosts and ports of further nodes of its cluster."""
    user: str = ""
    """Empty: whom the client's certificate names."""
    password: str = ""
    secret: Secret | None = None
    """Where the password is found, if not here."""
    vhost: str = USUAL_VHOST
    tls: bool = False
    ca: str = ""
    """File of those who may have signed the broker's certificate; empty: those that this machine trusts."""
    cert: str = ""
    """File of our own certificate, and ``key`` of its key."""
    key: str = ""
    management: str = ""
    """Where the management API is; ``http://HOST:15672`` when nothing is said."""

    consumer_timeout: int = 0
    """Milliseconds after which the broker takes a job back, as its configuration says; 0: it is not known
    here."""

    timeout: float = 0.0
    """Seconds that the broker and the hub have for one act of a client; 0: as many as usual."""

    @property
    def nodes(self) -> tuple[BrokerUrl, ...]:
        """Each node by itself, in the order they are said."""
        places = [(self.host, self.port), *self.others]
        return tuple(msgspec.structs.replace(self, host=host, port=port, others=()) for host, port in places)

    @property
    def external(self) -> bool:
        """Whether the certificate says who we are, and no password is asked for."""
        return bool(self.cert) and not self.password and self.secret is None

    @property
    def apis(self) -> tuple[str, ...]:
        """Addresses of the management API: one for each node, unless it is said."""
        scheme, port = USUAL_MANAGEMENT["amqps" if self.tls else "amqp"]
        hosts = [self.host, *(host for host, _ in self.others)]
        usual = dict.fromkeys(f"{scheme}://{_bracketed(host)}:{port}" for host in hosts)
        return (self.management,) if self.management else tuple(usual)

    @property
    def place(self) -> str:
        """``HOST:PORT``, for a sentence; of each node."""
        places = [(self.host, self.port), *self.others]
        return ",".join(f"{_bracketed(host)}:{port}" for host, port in places)

    def reveal(self, environ: Mapping[str, str]) -> str:
        """The password.

        Raises:
            UserError: there is no such variable, or the file cannot be read.
        """
        return self.secret.reveal(environ) if self.secret else self.password

    def __str__(self) -> str:
        """For people: all but the password and the options."""
        who = f"{quote(self.user, safe='')}{f':{SHOWN}' if self.password else ''}@" if self.user else ""
        return f"amqp{'s' * self.tls}://{who}{self.place}/{quote(self.vhost, safe='')}"

    def __repr__(self) -> str:
        """As ``str``: a password must not get into a traceback or a log."""
        return f"<{self}>"


def parse(text: str, *, where: str = "the broker's URL", directory: str = "") -> BrokerUrl:
    """Read it.

    Args:
        text: The line.
        where: Who says so, for messages.
        directory: What relative paths in it are relative to; the current one.

    Raises:
        UserError: it is not such a line. What of it might be a password is not repeated.
    """
    try:
        parts = urlsplit(text.strip())
        places = _places(parts)
    except ValueError:
        _refuse(where, "the host or the port is not written as one; a sign in a password is written as %XX")
    if parts.scheme not in USUAL_PORTS or not all(host for host, _ in places) or parts.fragment:
        _refuse(where, f"{masked(text)!r} is no URL of a broker; write {EXAMPLE}")
    options = _options(parts, where)
    tls = parts.scheme == "amqps"
    (host, port), *others = places
    found = BrokerUrl(
        host=host,
        port=port,
        others=tuple(others),
        vhost=_vhost(parts.path, where),
        tls=tls,
        secret=_secret(options, where, directory),
        management=options.get("management", "").rstrip("/"),
        consumer_timeout=_milliseconds(options, "consumer_timeout", where),
        timeout=_milliseconds(options, "timeout", where) / 1000,
        **{name: os.path.join(directory, options[name]) for name in ("ca", "cert", "key") if name in options},
    )
    _check(found, parts, where)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not user and not found.cert:
        # What every client of RabbitMQ takes then; the server lets it in from its own machine alone.
        user, password = "guest", password or ("" if found.secret else "guest")
    return msgspec.structs.replace(found, user=user, password=password)


def has_password(text: str) -> bool:
    """Whether who reads the line has the password, or a variable that holds it: not if it is in a file."""
    parts = urlsplit(text.strip())
    return bool(parts.password) or "password_env" in dict(parse_qsl(parts.query))


def with_file(text: str, path: str) -> str:
    """The same line, whose password is in the file at ``path``."""
    parts = urlsplit(text.strip())
    who, at, host = parts.netloc.rpartition("@")
    options = [(name, value) for name, value in parse_qsl(parts.query) if name != "password_env"]
    query = urlencode([*options, ("password_file", path)])
    return urlunsplit(parts._replace(netloc=f"{who.partition(':')[0]}{at}{host}", query=query))


def masked(text: str) -> str:
    """A line as it may be shown, whether it is such a URL or not: without whatever stands before an ``@``'s
    host."""
    scheme, mark, rest = text.partition("://")
    if not mark:
        scheme, rest = "", text
    before, at, after = rest.rpartition("@")
    user = before.partition(":")[0]
    shown = f"{user}:{SHOWN}" if ":" in before else before
    return f"{scheme}{mark}{shown}{at}{after}"


def _places(parts: SplitResult) -> list[tuple[str, int]]:
    """Hosts and ports; ``urlsplit`` knows of one.

    Raises:
        ValueError: one is not written as such.
    """
    said = [urlsplit(f"//{each}") for each in parts.netloc.rpartition("@")[2].split(",")]
    usual = USUAL_PORTS.get(parts.scheme, 0)
    return [(each.hostname or "", each.port or usual) for each in said]


def _options(parts: SplitResult, where: str) -> dict[str, str]:
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name, value in options.items():
        if name not in OPTIONS:
            _refuse(where, f"there is no option {name!r}{nearest(name, OPTIONS)}")
        if not value:
            _refuse(where, f"{name}= says nothing")
    return options


def _vhost(path: str, where: str) -> str:
    name = path.removeprefix("/")
    if "/" in name:
        _refuse(where, "a '/' in the name of a virtual host is written as %2F")
    return unquote(name) or USUAL_VHOST


def _secret(options: Mapping[str, str], where: str, directory: str) -> Secret | None:
    if "password_env" in options:
        return Secret(env=options["password_env"], where=where)
    if "password_file" in options:
        path = os.path.expanduser(options["password_file"])
        return Secret(file=os.path.join(directory, path), where=where)
    return None


def _milliseconds(options: Mapping[str, str], name: str, where: str) -> int:
    try:
        return int(seconds(options[name]) * 1000) if name in options else 0
    except ValueError as error:
        _refuse(where, f"{name}: {error}")


def _check(found: BrokerUrl, parts: SplitResult, where: str) -> None:
    """That what is said goes together."""
    if not found.tls and (found.ca or found.cert or found.key):
        _refuse(where, "ca=, cert= and key= are for TLS; write amqps:// in place of amqp://")
    if bool(found.cert) is not bool(found.key):
        _refuse(where, "cert= and key= go together: a certificate's file and its key's")
    said = bool(parts.password) + ("password_file=" in parts.query) + ("password_env=" in parts.query)
    if said > 1:
        _refuse(where, "the password is said twice; say it once, best by password_file=")
    if said and not parts.username:
        _refuse(where, f"there is a password, and no user whose it is; write {EXAMPLE}")
    if found.management and not found.management.startswith(("http://", "https://")):
        _refuse(where, "management= is an address like http://HOST:15672")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _refuse(where: str, why: str) -> NoReturn:
    raise UserError(f"{where}: {why}")
