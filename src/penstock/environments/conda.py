"""What conda does, without conda. Each question is answered by a process of its own, ``condahelper``."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import IO, TypeVar

import msgspec

from penstock.environments import activation, condafault
from penstock.environments import condawire as wire
from penstock.environments.activation import Activation
from penstock.environments.channels import Channel
from penstock.environments.condafile import CondaRequest
from penstock.environments.lock import CondaRecord, Pins
from penstock.environments.progress import Progress, Silent
from penstock.errors import BuildFailed

_Answer = TypeVar("_Answer", bound=wire.Answer)
_decoder: msgspec.json.Decoder[wire.Word] = msgspec.json.Decoder(wire.Word)


class Conda:
    """With what the user has set for rattler: mirrors, proxies, credentials, netrc."""

    def __init__(
        self,
        environ: Mapping[str, str],
        cache: str,
        *,
        offline: bool = False,
        holding: Sequence[int] = (),
        progress: Progress | None = None,
    ) -> None:
        """Start nothing yet.

        Args:
            environ: Usually ``os.environ``.
            cache: A folder for what is fetched: packages, and what channels have.
            offline: Whether to take nothing from the network.
            holding: File descriptors that what is started keeps open, as of ``Uv``.
            progress: Who shows how far it has come.
        """
        self._environ = dict(environ)
        self._cache = cache
        self._offline = offline
        self._holding = tuple(holding)
        self._progress = progress or Silent()

    def solve(self, request: CondaRequest, kept: Sequence[CondaRecord] = (), *, where: str) -> Pins:
        """The packages that are what ``request`` asks for.

        Args:
            request: For one platform.
            kept: What was locked before: its versions stay where they can.
            where: What errors are about: the file.

        Raises:
            BadSpec: a spec is none, or there is no such channel.
            Unsatisfiable: there are no such packages.
            SourceAway: a channel cannot be reached.
            EnvironmentFault: py-rattler is not installed.
        """
        asked = wire.Solve(
            platform=request.platform,
            channels=request.channels,
            specs=request.specs,
            kept=tuple(kept),
            cache=self._cache,
            offline=self._offline,
        )
        return pinned(self._ask(asked, wire.Solved, where, request).records)

    def install(self, records: Sequence[CondaRecord], channels: Sequence[Channel], prefix: str) -> None:
        """Put ``records`` into ``prefix``, which is not there yet or empty.

        Args:
            records: All of an environment.
            channels: That they name; one that is not among them is an address.
            prefix: An absolute path.

        Raises:
            BuildFailed: a package is not the one that was locked, this machine lacks something that one
                needs, or nothing can be written.
            SourceAway: one cannot be fetched.
        """
        asked = wire.Install(
            records=tuple(records),
            channels=tuple(channels),
            prefix=prefix,
            cache=self._cache,
            offline=self._offline,
        )
        self._ask(asked, wire.Installed, prefix)

    def activate(self, prefix: str) -> Activation:
        """What activating ``prefix`` changes. Its scripts are run, once.

        Raises:
            BuildFailed: one of them fails.
        """
        script = self._ask(wire.Activate(prefix), wire.Script, prefix).text
        script = activation.literal(script, activation.declared(prefix))
        return activation.run(script, prefix, holding=self._holding)

    def read_lock(self, path: str, platform: str, environment: str, *, where: str) -> wire.Pinned:
        """What the lock file of another tool at ``path`` has for ``platform``.

        Raises:
            BadSpec: it is none, or has nothing for that.
        """
        return self._ask(wire.ReadLock(path, platform, environment), wire.Pinned, where)

    def addresses(self, channels: Sequence[Channel]) -> list[str]:
        """Where the channels are: what a bare name means is conda's to say."""
        return self._ask(wire.Locate(tuple(channels)), wire.Located, "").urls

    # --------------------------------------------------------------------------------------- the process

    def _ask(
        self, question: wire.Request, kind: type[_Answer], where: str, request: CondaRequest | None = None
    ) -> _Answer:
        with tempfile.TemporaryFile() as stderr:
            answer, code = self._answer(question, stderr)
            if isinstance(answer, wire.Failed):
                raise condafault.fault(answer, where, request)
            if not isinstance(answer, kind):
                stderr.seek(0)
                last = stderr.read().decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
                raise BuildFailed(f"the process that does conda's work ended with {code}: {last[0]}")
            return answer

    def _answer(self, question: wire.Request, stderr: IO[bytes]) -> tuple[wire.Answer | None, int]:
        # A session of its own: Ctrl-C is for us, and the end of its stdin tells it. -P: no module of the
        # current directory is taken for one of those that it imports.
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "penstock.environments.condahelper"],
            env=self._environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
            pass_fds=self._holding,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(msgspec.json.encode(question) + b"\n")
            process.stdin.flush()
            answer = self._listen(process.stdout)
        except BrokenPipeError:
            answer = None
        finally:
            with contextlib.suppress(BrokenPipeError):  # of what it has not read
                process.stdin.close()
            process.stdout.close()
            code = process.wait()
        return answer, code

    def _listen(self, lines: IO[bytes]) -> wire.Answer | None:
        """Show how far it has come until it answers; ``None``: it has ended without."""
        for line in lines:
            match word := _decoder.decode(line):
                case wire.Phase():
                    self._progress.phase(word.name)
                case wire.Step():
                    self._progress.step(word.done, word.total, word.what)
                case _:
                    return word
        return None


def pinned(records: Sequence[CondaRecord]) -> Pins:
    """``records`` as a lock has them, with what they need of a machine."""
    needs = {need for record in records for need in record.depends if need.startswith("__")}
    return Pins(virtual_packages=sorted(needs), conda=sorted(records, key=lambda record: record.name))
