"""What tests start ends with them, however they end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.jobs import until

ROOT = Path(__file__).resolve().parents[2]
TEST = """
import sys
from pathlib import Path
from tests.jobs import Supervisor

print(Supervisor(Path(sys.argv[1]), ["-c", "import time; time.sleep(600)"]).process.pid, flush=True)
sys.stdin.read()
"""


def test_a_supervisor_of_a_test_that_is_killed_is_gone(tmp_path: Path) -> None:
    command = [sys.executable, "-c", TEST, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as test:  # type: ignore[call-overload]
        pid = int(test.stdout.readline())
        line = Path(f"/proc/{pid}/cmdline")
        until(lambda: line.read_bytes().startswith(sys.executable.encode()), "it runs")
        test.kill()
        until(lambda: not Path(f"/proc/{pid}").exists(), "it is gone")
