"""An SSH server and a client between two hosts of a ``Lab``: what leads from one to the other, and alone."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.hosts import PATIENCE, Lab, until

UNPACKED = Path(__file__).parents[1] / ".cache/sshd/usr/sbin/sshd"
SERVER = shutil.which("sshd", path="/usr/sbin:/usr/bin") or (str(UNPACKED) if UNPACKED.exists() else None)
AT_HAND = SERVER is not None and shutil.which("ssh") is not None
ABSENT = "there is no SSH server and client: `requirements/sshd` unpacks openssh-server"
PORT = 7722
CONFIG = """\
Port {port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
StrictModes no
UsePAM no
PidFile none
"""
BOX = """\
mount --bind passwd /etc/passwd && mount --bind shadow /etc/shadow &&
mount -t tmpfs none /run && mkdir -m 755 /run/sshd && exec "$0" "$@"
"""
"""In a mount namespace of its own (that of ``ip netns exec``): the user and the folder that sshd wants are
there whatever this machine has, and nobody's real account is asked."""
OPTIONS = {
    "StrictHostKeyChecking": "no",
    "UserKnownHostsFile": "/dev/null",
    "ExitOnForwardFailure": "yes",
    "ConnectTimeout": "5",
    "ServerAliveInterval": "1",
}


class Tunnel:
    """From ``h2`` to ``h1``, with a server that is there until the end."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._folder = lab.folder / "ssh"
        self._folder.mkdir()
        for name in ("host", "user"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", name]
            subprocess.run(command, cwd=self._folder, check=True)
        self._write("config", CONFIG.format(port=PORT, folder=self._folder))
        self._write("passwd", "root:*:0:0::/:/bin/sh\nsshd:*:74:74::/run/sshd:/usr/sbin/nologin\n")
        self._write("shadow", "root:*:19000::::::\n")
        assert SERVER is not None
        server = ["sh", "-c", BOX, SERVER, "-D", "-f", str(self._folder / "config")]
        with (self._folder / "log").open("wb") as log:
            lab.processes["sshd"] = subprocess.Popen(
                lab.within("h1", *server), cwd=self._folder, stdout=log, stderr=log
            )

    def _write(self, name: str, text: str) -> None:
        (self._folder / name).write_text(text, "utf-8")

    def open(self, *, here: Iterable[int], there: Iterable[int]) -> None:
        """Carry the ports ``there`` of ``h1`` to ``h2``, and the ports ``here`` of ``h2`` to ``h1``."""
        ways = [f"-L{port}:127.0.0.1:{port}" for port in there]
        ways += [f"-R{port}:127.0.0.1:{port}" for port in here]
        until(lambda: self._ssh("-f", "-N", "-M", *ways).returncode == 0, "a tunnel stands")

    def cut(self) -> None:
        """Kill the client."""
        said = self._ssh("-O", "check").stderr
        os.kill(int(said.rpartition("pid=")[2].partition(")")[0]), signal.SIGKILL)
        (self._folder / "master").unlink()

    def _ssh(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Errors go to a file: with ``-f``, whoever is left has it open for as long as it lives."""
        options = [f"-o{name}={value}" for name, value in OPTIONS.items()]
        ssh = ["ssh", "-F", "none", *options, "-i", "user", "-S", "master", "-p", str(PORT)]
        said = self._folder / "said"
        with said.open("w") as log:
            done = subprocess.run(
                self._lab.within("h2", *ssh, *words, "root@10.77.0.11"),
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                check=False,
                timeout=PATIENCE,
            )
        return subprocess.CompletedProcess(done.args, done.returncode, "", said.read_text())
