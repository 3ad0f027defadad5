"""RabbitMQ for tests: private nodes on the loopback, with data, cookie and name server of their own.

    node    one of a test's own, to break it
    rabbit  ONE for all tests of a run and all its processes, as a boot takes seconds
    broker  the URL of a virtual host on it, of this test alone; `set_up(broker, "gpu")` makes what jobs need

Nothing is left behind, however a run ends. What a process starts dies with it (`PR_SET_PDEATHSIG`). The
shared node belongs to a keeper; each process that uses it holds a shared lock on a file, and the keeper,
which waits for the exclusive one, gets it from the kernel when the last of them is gone.
"""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from penstock.rabbitmq.setup import Wanted, apply, prepare
from penstock.rabbitmq.topology import topology
from penstock.rabbitmq.url import parse

SERVER = Path(os.environ.get("RABBITMQ_BIN", "/usr/lib/rabbitmq/bin"))
"""Not /usr/sbin: what Debian puts there changes the user and drops the environment."""
ABSENT = "there is no RabbitMQ server: `make rabbitmq` installs it (apt-get install rabbitmq-server)"
PATIENCE = 120.0
LOOPBACK_ALONE = "-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false"
OFTEN = "[{rabbit, [{quorum_tick_interval, 500}]}]."
"""Else the figures of the management API are many seconds old."""
USER = PASSWORD = "guest"  # of a node that only this machine reaches


def free_port() -> int:
    """One that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    """Whether somebody takes connections there."""
    try:
        socket.create_connection(("127.0.0.1", port), 0.5).close()
    except OSError:
        return False
    return True


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _until(port: int, alive: bool, process: subprocess.Popen[bytes] | None = None) -> None:
    """Poll a port: the kernel tells nobody when somebody begins to listen."""
    end = time.monotonic() + PATIENCE
    while answers(port) is not alive:
        assert time.monotonic() < end, f"port {port} is {'not up' if alive else 'still up'}"
        assert process is None or process.poll() is None, f"it has ended instead: port {port}"
        time.sleep(0.02)


class Fabric:
    """What the nodes of one cluster share: a name server, a cookie and a directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "home"
        self.home.mkdir(parents=True)
        cookie = self.home / ".erlang.cookie"
        cookie.write_text(secrets.token_hex(16))
        cookie.chmod(0o400)
        self.port = free_port()
        self.epmd = subprocess.Popen(
            ["epmd", "-address", "127.0.0.1", "-port", str(self.port), "-relaxed_command_check"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - it makes one system call
        )
        _until(self.port, True, self.epmd)
        self.nodes: list[Node] = []

    @property
    def environment(self) -> dict[str, str]:
        """Of everything that belongs to it; nothing of what this machine says elsewhere."""
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(self.home),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self.port),
            "RABBITMQ_CONF_ENV_FILE": str(self.root / "none.conf"),
        }

    def close(self) -> None:
        """End all of it, at once."""
        for node in self.nodes:
            node.kill()
        self.epmd.kill()
        self.epmd.wait()


class Node:
    """A server. It is not started by being made, so that its files can be changed."""

    def __init__(
        self,
        fabric: Fabric,
        name: str = "rabbit",
        *,
        settings: Mapping[str, object] | None = None,
        advanced: str = OFTEN,
        plugins: Sequence[str] = ("rabbitmq_management", "rabbitmq_auth_mechanism_ssl"),
    ) -> None:
        self.fabric, self.name = fabric, f"{name}@localhost"
        self.directory = fabric.root / name
        self.directory.mkdir()
        self.port, self.tls_port, self.management_port, self._distribution = (free_port() for _ in range(4))
        self.process: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None
        self.managed = "rabbitmq_management" in plugins
        said: dict[str, object] = {
            "listeners.tcp.1": f"127.0.0.1:{self.port}",
            "log.console": "true",
            "log.file": "false",
            "disk_free_limit.absolute": "50MB",
            "vm_memory_high_watermark.absolute": "1GB",
            "collect_statistics_interval": 500,
            **({"management.tcp.ip": "127.0.0.1"} if self.managed else {}),
            **({"management.tcp.port": self.management_port} if self.managed else {}),
            **(settings or {}),
        }
        self._write("rabbitmq.conf", "\n".join(f"{key} = {value}" for key, value in said.items()))
        self._write("advanced.config", advanced)
        self._write("enabled_plugins", f"[{','.join(plugins)}].")
        fabric.nodes.append(self)

    def _write(self, name: str, text: str) -> None:
        (self.directory / name).write_text(f"{text}\n", encoding="utf-8")

    @property
    def environment(self) -> dict[str, str]:
        """Of the server and of the tools that talk to it."""
        at = self.directory
        return {
            **self.fabric.environment,
            # Without a shell between: who kills the process kills the server, and its parent's death reaches
            # it.
            "RUNNING_UNDER_SYSTEMD": "true",
            "RABBITMQ_NODENAME": self.name,
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "RABBITMQ_MNESIA_BASE": str(at / "mnesia"),
            "RABBITMQ_LOG_BASE": str(at / "log"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_PID_FILE": str(at / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(at / "enabled_plugins"),
            "RABBITMQ_CONFIG_FILE": str(at / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(at / "advanced.config"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(at / "generated"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": LOOPBACK_ALONE,
            # Few schedulers that never wait busily: tests share the machine.
            "RABBITMQ_SERVER_ERL_ARGS": "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none",
        }

    @property
    def log(self) -> str:
        """What it has said."""
        return (self.directory / "console.log").read_text("utf-8", "replace")

    def start(self) -> Node:
        """Until it takes connections."""
        self.launch()
        return self.ready()

    def launch(self) -> None:
        """Do not wait; a cluster's nodes wait for each other."""
        with (self.directory / "console.log").open("ab") as output:
            self.process = subprocess.Popen(
                [str(SERVER / "rabbitmq-server")],
                env=self.environment,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - it makes one system call
            )

    def ready(self) -> Node:
        """Once it takes connections."""
        try:
            for port in [self.port, *([self.management_port] if self.managed else [])]:
                _until(port, True, self.process)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log[-4000:]}") from None
        return self

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """As by a power cut; afterwards nobody answers any more."""
        if self.process is not None:
            if self.process.poll() is None:
                os.killpg(self.process.pid, number)
            self.process.wait(PATIENCE)
            self.process = None
            _until(self.port, False)

    def restart(self) -> None:
        """Kill and start again."""
        self.kill()
        self.start()

    def tool(self, *arguments: str, program: str = "rabbitmqctl") -> str:
        """What a program of the server's answers. Each takes 0.3 s and more: the HTTP API is quicker."""
        command = [str(SERVER / program), "-n", self.name, *arguments]
        ended = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, f"{arguments}: {ended.stdout}{ended.stderr}"
        return ended.stdout

    def url(self, vhost: str = "/", user: str = USER, password: str = PASSWORD) -> str:
        """Where a client connects to."""
        quoted = urllib.parse.quote(vhost, safe="")
        managed = f"?management=http://127.0.0.1:{self.management_port}" if self.managed else ""
        return f"amqp://{_who(user, password)}127.0.0.1:{self.port}/{quoted}{managed}"

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """The HTTP API, as the administrator."""
        return ask(self.management_port, method, path, body)


def _who(user: str, password: str) -> str:
    """As whom one connects; nothing where it is who every client is taken for."""
    return "" if (user, password) == (USER, PASSWORD) else f"{user}:{password}@"


def ask(port: int, method: str, path: str, body: object = None) -> Any:
    """One request to a management API."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/{path}", method=method)
    request.add_header("Authorization", "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode())
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=30) as answer:
        content = answer.read()
    return json.loads(content) if content else None


# ------------------------------------------------------------------------------ nodes of a test's own


def need_server() -> None:
    """Skip on a desk, fail where CI=true: there a skipped promise would look like a kept one."""
    if not (SERVER / "rabbitmq-server").exists():
        if os.environ.get("CI") == "true":
            pytest.fail(ABSENT)
        pytest.skip(ABSENT)


@contextmanager
def fabric() -> Iterator[Fabric]:
    """The ground of one node or of several; all of them end with it.

    In a directory with a short name: Erlang's are limited.
    """
    need_server()
    root = Path(tempfile.mkdtemp(prefix="rabbit-"))
    found = Fabric(root)
    try:
        yield found
    finally:
        found.close()
        shutil.rmtree(root, ignore_errors=True)


@contextmanager
def cluster(size: int = 3, **knobs: Any) -> Iterator[list[Node]]:
    """Nodes that know each other."""
    with fabric() as ground:
        names = [f"n{number}" for number in range(1, size + 1)]
        peers = {
            f"cluster_formation.classic_config.nodes.{number}": f"{name}@localhost"
            for number, name in enumerate(names, 1)
        }
        settings = {"cluster_formation.peer_discovery_backend": "classic_config", **peers}
        settings |= knobs.pop("settings", {})
        nodes = [Node(ground, name, settings=settings, **knobs) for name in names]
        for node in nodes:
            node.launch()
        for node in nodes:
            node.ready()
        end = time.monotonic() + PATIENCE
        while len(nodes[0].ask("GET", "nodes")) < size:
            assert time.monotonic() < end, f"{size} nodes are no cluster"
            time.sleep(0.1)
        yield nodes


class Authority:
    """Certificates for one test: of a server, and of clients with a name each."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.certificate = str(directory / "ca.pem")
        self._make(
            "req", "-x509", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=authority", "-days", "2"
        )

    def issue(self, name: str, *, server: bool = False) -> tuple[str, str]:
        """The files of a certificate and its key."""
        use = "serverAuth" if server else "clientAuth"
        (self.directory / f"{name}.ext").write_text(
            f"keyUsage=digitalSignature\nextendedKeyUsage={use}\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n"
        )
        self._make("req", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"]
        self._openssl(
            "x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", *signed, "-extfile", f"{name}.ext"
        )
        return str(self.directory / f"{name}.pem"), str(self.directory / f"{name}.key")

    def settings(self, node_port: int = 0) -> dict[str, object]:
        """What a node says that takes TLS, and wants a certificate of its clients."""
        certificate, key = self.issue("server", server=True)
        return {
            "ssl_options.cacertfile": self.certificate,
            "ssl_options.certfile": certificate,
            "ssl_options.keyfile": key,
            "ssl_options.verify": "verify_peer",
            "ssl_options.fail_if_no_peer_cert": "false",
            "ssl_cert_login_from": "common_name",
            "auth_mechanisms.1": "PLAIN",
            "auth_mechanisms.2": "EXTERNAL",
            **({"listeners.ssl.1": f"127.0.0.1:{node_port}"} if node_port else {}),
        }

    def _make(self, verb: str, *arguments: str) -> None:
        self._openssl(verb, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", *arguments)

    def _openssl(self, *arguments: str) -> None:
        ended = subprocess.run(
            ["openssl", *arguments], cwd=self.directory, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stderr


# --------------------------------------------------------------------------------- the node of a run


class Shared:
    """The node that all tests of a run share, as one of its processes sees it."""

    def __init__(self, port: int, management_port: int) -> None:
        self.port, self.management_port = port, management_port

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """The HTTP API, as the administrator."""
        return ask(self.management_port, method, path, body)

    def url(self, vhost: str, user: str = USER, password: str = PASSWORD) -> str:
        """Where a client connects to."""
        return (
            f"amqp://{_who(user, password)}127.0.0.1:{self.port}/{urllib.parse.quote(vhost, safe='')}"
            f"?management=http://127.0.0.1:{self.management_port}"
        )

    @contextmanager
    def vhost(self) -> Iterator[str]:
        """A virtual host of one test: its name."""
        name = f"test-{secrets.token_hex(6)}"
        self.ask("PUT", f"vhosts/{name}", {})
        self.ask("PUT", f"permissions/{name}/{USER}", {"configure": ".*", "write": ".*", "read": ".*"})
        try:
            yield name
        finally:
            self.ask("DELETE", f"vhosts/{name}")


_KEEPERS: list[subprocess.Popen[bytes]] = []
"""It outlives whoever has started it, so nobody waits for it; Python would complain of one that is
forgotten."""


def join(base: Path) -> tuple[Shared, int]:
    """Take part in the node of the runs below ``base``; the first to come starts it. Close the second when
    done."""
    need_server()
    users = os.open(base / "rabbit.users", os.O_CREAT | os.O_RDWR, 0o600)
    with (base / "rabbit.start").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        fcntl.flock(users, fcntl.LOCK_SH)
        found = base / "rabbit.json"
        if not found.exists():
            with (base / "rabbit.log").open("wb") as log:
                keeper = subprocess.Popen(
                    [sys.executable, __file__, str(base)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            _KEEPERS.append(keeper)
            while not found.exists():
                assert keeper.poll() is None, (base / "rabbit.log").read_text()
                time.sleep(0.05)
        return Shared(**json.loads(found.read_text())), users


def keep(base: Path) -> None:
    """Start the node, tell where it is, and end it when nobody uses it any more."""
    with fabric() as ground:
        node = Node(ground).start()
        told = base / "rabbit.new"
        told.write_text(json.dumps({"port": node.port, "management_port": node.management_port}))
        told.rename(base / "rabbit.json")
        with (base / "rabbit.users").open() as users:
            fcntl.flock(users, fcntl.LOCK_EX)


@pytest.fixture(scope="session")
def rabbit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """The node of this run. It is started when the first test asks for it."""
    base = tmp_path_factory.getbasetemp()
    # Each process of a distributed run has a directory of its own in the one they share.
    shared, users = join(base.parent if "PYTEST_XDIST_WORKER" in os.environ else base)
    yield shared
    os.close(users)


def set_up(url: str, *groups: str) -> None:
    """Do what `penstock broker init URL --group ...` does, without accounts."""
    where, wanted = parse(url), Wanted(topology(groups))
    plan, management = asyncio.run(prepare(where, wanted))
    asyncio.run(apply(where, wanted, plan, management))


@pytest.fixture
def broker(rabbit: Shared) -> Iterator[str]:
    """The URL of an empty virtual host on the node of this run, of this test alone."""
    with rabbit.vhost() as name:
        yield rabbit.url(name)


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
