"""The management API of a broker, over HTTP: what AMQP cannot say or do."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from base64 import b64encode
from contextlib import suppress
from typing import Any, Mapping
from urllib.parse import quote

from penstock.errors import BrokerAway, BrokerFault
from penstock.rabbitmq.url import BrokerUrl

PATIENCE = 20.0


class Refused(BrokerFault):
    """It has answered, and does not want to.

    Attributes:
        status: Of HTTP: 401 does not let us in, 403 not there, 404 has no such thing.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Management:
    """The API, as one user. Nothing is kept between two requests."""

    def __init__(self, url: BrokerUrl, environ: Mapping[str, str]) -> None:
        """Raises UserError: the password's file or variable cannot be read."""
        self.url = url
        # Not kept as text: a traceback with local variables would show it.
        self._proof = b64encode(f"{url.user}:{url.reveal(environ)}".encode())

    def get(self, *path: str) -> Any:
        """What there is.

        Raises:
            Refused: there is none, or we may not see it.
            BrokerFault: nobody answers, or not the API.
        """
        return self._ask("GET", path, None)

    def find(self, *path: str) -> Any:
        """The same; nothing where there is none."""
        try:
            return self.get(*path)
        except Refused as refused:
            if refused.status == 404:
                return None
            raise

    def put(self, *path: str, body: object) -> None:
        """Make it, or make it so."""
        self._ask("PUT", path, body)

    def _ask(self, method: str, path: tuple[str, ...], body: object) -> Any:
        *others, last = self.url.apis
        for api in others:
            with suppress(BrokerAway):
                return self._ask_at(api, method, path, body)
        return self._ask_at(last, method, path, body)

    def _ask_at(self, api: str, method: str, path: tuple[str, ...], body: object) -> Any:
        address = "/".join([api, "api", *(quote(part, safe="") for part in path)])
        request = urllib.request.Request(address, method=method)  # noqa: S310 - `url` has seen to the scheme
        request.add_header("Authorization", f"Basic {self._proof.decode()}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        try:
            opened = urllib.request.urlopen(request, timeout=PATIENCE, context=self._context(api))  # noqa: S310
            with opened as answer:
                content = answer.read()
        except urllib.error.HTTPError as error:
            with error:
                raise Refused(self._refusal(error, api, path), error.code) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            said = getattr(reason, "strerror", None) or reason
            raise BrokerAway(f"the management API at {api} cannot be reached: {said}") from None
        return self._read(content, api)

    @staticmethod
    def _read(content: bytes, api: str) -> Any:
        try:
            return json.loads(content) if content else None
        except (ValueError, RecursionError):
            raise BrokerFault(
                f"what answers at {api} is no management API; say where it is: &management=http://HOST:15672"
            ) from None

    def _refusal(self, error: urllib.error.HTTPError, api: str, path: tuple[str, ...]) -> str:
        what = "/".join(path)
        if error.code == 401:
            return (
                f"the management API at {api} does not let user {self.url.user!r} in: "
                "it takes a password, and a user with the tag administrator, policymaker or monitoring"
            )
        try:
            reason = json.loads(error.read()).get("reason", "")
        except (ValueError, AttributeError, RecursionError):
            reason = ""
        return f"the management API at {api} refuses {what}: {reason or error.reason}"

    def _context(self, api: str) -> ssl.SSLContext | None:
        if not api.startswith("https:"):
            return None
        context = ssl.create_default_context(cafile=self.url.ca or None)
        if self.url.cert:
            context.load_cert_chain(self.url.cert, self.url.key)
        return context
