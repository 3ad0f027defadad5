"""Run all four programs one after the other and put their rates side by side."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
PROGRAMS = {
    "plain zmq, send_pyobj": ("plain.py", "pickle"),
    "plain zmq, copy=False": ("plain.py", "nocopy"),
    "penstock": ("app.py",),
    "penstock, in place": ("inplace.py",),
}


def rate(file: str, *arguments: str) -> float:
    """Batches a second of one program, between its first batch and its last."""
    with tempfile.TemporaryDirectory(prefix="frames-") as directory:
        report = Path(directory) / "report.json"
        environment = {**os.environ, "FRAMES_REPORT": str(report)}
        subprocess.run(
            [sys.executable, HERE / file, *arguments], env=environment, check=True, capture_output=True
        )
        return float(json.loads(report.read_text("utf-8"))["rate"])


def main() -> None:
    """Print the table as it comes."""
    first = 0.0
    for name, command in PROGRAMS.items():
        found = rate(*command)
        first = first or found
        gigabytes = found * 32 * 3 * 224 * 224 * 4 / 1e9
        print(f"  {name:24}{found:8.0f} batches/s {gigabytes:8.2f} GB/s {found / first:8.1f}x", flush=True)


if __name__ == "__main__":
    main()
