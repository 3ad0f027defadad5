from __future__ import annotations

import subprocess

import pytest

from penstock.errors import WiringError
from penstock.tasks import kind


class Broken(OSError):
    """One of ours."""


def test_a_built_in_has_its_own_name_and_any_other_that_of_its_module() -> None:
    assert kind.name(OSError) == "OSError"
    assert kind.name(subprocess.CalledProcessError) == "subprocess.CalledProcessError"
    assert kind.name(Broken) == f"{__name__}.Broken"


def test_what_is_raised_is_known_by_its_names_and_those_of_its_bases() -> None:
    assert kind.names(Broken) == [f"{__name__}.Broken", "Broken", "OSError", "Exception"]


def test_one_of_a_script_is_named_as_an_import_would_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made = type("Local", (Exception,), {"__module__": "__main__", "__qualname__": "outer.<locals>.Local"})
    with pytest.raises(WiringError, match="is defined inside 'outer'"):
        kind.name(made)
