"""Wheels made by hand: what uv resolves and installs in tests, from a folder, whatever network there is."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path


def wheel(
    folder: Path,
    name: str,
    version: str,
    *,
    requires: Sequence[str] = (),
    python: str = ">=3.9",
    files: Mapping[str, str] | None = None,
) -> Path:
    """A pure one of a package `name` whose module says its version; `files`: more of it."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name}-{version}.dist-info"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", f"Requires-Python: {python}"]
    content = {
        f"{name}/__init__.py": f"__version__ = {version!r}\n",
        **(files or {}),
        f"{info}/METADATA": "\n".join([*lines, *(f"Requires-Dist: {each}" for each in requires), ""]),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [f"{path},{_hash(text)},{len(text.encode())}" for path, text in content.items()]
    content[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""])
    made = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(made, "w") as archive:
        for path, text in content.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    return made


def repacked(python: str, name: str, folder: Path) -> Path:
    """A wheel of what the environment of `python` has installed of `name`."""
    code = (
        "import json, sys; from importlib.metadata import distribution; found = distribution(sys.argv[1]);"
        "print(json.dumps([str(found.locate_file('')), [str(each) for each in found.files]]))"
    )
    said = subprocess.run([python, "-c", code, name], capture_output=True, text=True, check=True).stdout
    root, listed = json.loads(said)
    files = [each for each in listed if not each.startswith("..") and "__pycache__" not in each]
    info = next(each.partition("/")[0] for each in files if each.endswith(".dist-info/WHEEL"))
    tag = re.findall(r"^Tag: (\S+)", (Path(root) / info / "WHEEL").read_text(), re.MULTILINE)[-1]
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / f"{info.removesuffix('.dist-info')}-{tag}.whl"
    with zipfile.ZipFile(made, "w") as archive:
        for each in files:
            archive.write(Path(root) / each, each)
    return made


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
