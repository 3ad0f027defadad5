from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.environments import activation
from penstock.environments.activation import Activation
from penstock.errors import BuildFailed

NAME = st.from_regex(r"[B-O][A-Z_]{0,3}", fullmatch=True)
ENVIRON = st.dictionaries(NAME, st.text(max_size=5))
FOLDER = st.sampled_from(["/usr/bin", "/bin", "/env/bin", "/env", "/env/lib/x", "/environment/bin"])
PATH = st.lists(FOLDER, max_size=5).map(":".join)


@given(ENVIRON, PATH, ENVIRON, PATH)
def test_what_differs_makes_the_one_of_the_other(
    before: dict[str, str], path: str, after: dict[str, str], new_path: str
) -> None:
    found = activation.difference({**before, "PATH": path}, {**after, "PATH": new_path}, "/env")
    made = found.applied({**before, "PATH": path})
    leading = list(
        dict.fromkeys(each for each in new_path.split(":") if each == "/env" or each.startswith("/env/"))
    )
    assert made.pop("PATH").split(":") == [*leading, *(path or os.defpath).split(":")]
    assert made == after


@given(ENVIRON, PATH)
def test_what_does_not_differ_is_not_touched(before: dict[str, str], path: str) -> None:
    environ = {**before, "PATH": path}
    found = activation.difference(environ, environ, "/nowhere")
    assert found == Activation()


def test_a_script_is_run_once_and_what_it_prints_is_nobodys_variable(tmp_path: Path) -> None:
    prefix = str(tmp_path)
    script = (
        f'echo NOISE=1; export GREETING="a\\nb=c"; export PATH="{prefix}/bin:$PATH"; unset LANG; export PS1=x'
    )
    found = activation.run(script, prefix)
    assert found == Activation({"GREETING": "a\\nb=c"}, ["LANG"], [f"{prefix}/bin"])


def test_what_a_script_leaves_running_is_not_waited_for(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    began = time.monotonic()
    found = activation.run(f'sleep 60 & echo $! > "{pid}"; export A=b', str(tmp_path))
    os.kill(int(pid.read_text()), signal.SIGKILL)  # it is there: nobody has waited for its end
    assert found.set == {"A": "b"}
    assert time.monotonic() - began < 60


VARIABLES = {"A": "$(touch /tmp/x)", "B": "`id` $HOME", "C": 'a "b"\n', "LANG": "de", "GREETING": "mine"}


def test_variables_are_set_as_they_are_written_over_what_scripts_set() -> None:
    found = Activation({"GREETING": "theirs", "OTHER": "x"}, ["LANG", "GONE"]).setting(VARIABLES)
    assert found == Activation({**VARIABLES, "OTHER": "x"}, ["GONE"])
    assert found.applied({"GONE": "1", "PATH": "/bin"}) == {**VARIABLES, "OTHER": "x", "PATH": "/bin"}


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("echo first >&2; echo 'no data' >&2; exit 2", "fails: no data"),
        ("exit 7", "fails: exit code 7"),
        ("kill -9 $$", "fails: exit code -9"),
    ],
)
def test_a_script_that_fails_is_told_with_its_last_words(tmp_path: Path, script: str, sentence: str) -> None:
    with pytest.raises(BuildFailed, match=f"an activation script of {tmp_path} {sentence}"):
        activation.run(script, str(tmp_path))


def test_without_bash_that_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(activation, "_BASE_PATH", str(tmp_path))
    with pytest.raises(BuildFailed, match="an activation script needs bash"):
        activation.run("true", str(tmp_path))
