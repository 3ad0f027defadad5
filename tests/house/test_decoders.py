"""Every module that makes values of bytes is fuzzed, or is trusted for a reason that is written down."""

from __future__ import annotations

import re
from pathlib import Path

from tests.fuzz.targets import TARGETS, TRUSTED

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "penstock"
DECODES = re.compile(
    r"msgspec\.(json|msgpack|toml|yaml)\.(decode|Decoder)\b|\b(json|pickle|tomllib|marshal)\.loads?\("
    r"|\bmsgspec\.convert\(|\bunpack_from\b|\bliteral_eval\(|\bDecoder\(\)\.values\(|yaml\.(safe_)?(load|compose)"
)


def _decoding() -> set[str]:
    found = set()
    for path in SOURCE.rglob("*.py"):
        if DECODES.search(path.read_text("utf-8")):
            found.add(".".join(path.relative_to(SOURCE).with_suffix("").parts))
    return found


def _is_trusted(module: str) -> bool:
    return any(_under(module, each) for each in TRUSTED)


def test_every_module_that_decodes_is_fuzzed_or_trusted() -> None:
    fuzzed = {module.removeprefix("penstock.") for target in TARGETS for module in target.modules}
    unknown = {module for module in _decoding() - fuzzed if not _is_trusted(module)}
    assert unknown == set(), "a row in tests/fuzz/targets.py for each, or a reason in TRUSTED"


def test_every_module_in_the_table_is_there() -> None:
    modules = {module for target in TARGETS for module in target.modules}
    assert {each for each in modules if not _file(each.removeprefix("penstock."))} == set()
    assert {each for each in TRUSTED if not _file(each)} == set()


def test_nobody_is_trusted_who_decodes_nothing() -> None:
    decoding = _decoding()
    assert {each for each in TRUSTED if not any(_under(module, each) for module in decoding)} == set()


def _under(module: str, trusted: str) -> bool:
    return module == trusted or module.startswith(f"{trusted}.")


def _file(module: str) -> bool:
    path = SOURCE.joinpath(*module.split("."))
    return path.with_suffix(".py").exists() or path.is_dir()
