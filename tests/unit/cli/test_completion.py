from __future__ import annotations

import subprocess

import pytest

from penstock.cli import main


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_own_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.answer(["completion", shell]) == 0
    assert f"_PENSTOCK_COMPLETE={shell}_complete" in capsys.readouterr().out


def test_bash_understands_its_script(capsys: pytest.CaptureFixture[str]) -> None:
    main.answer(["completion", "bash"])
    subprocess.run(["bash", "-n"], input=capsys.readouterr().out, text=True, check=True)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("penstock sca", ["scale"]),
        ("penstock config s", ["show"]),
        ("penstock run --pro", ["--profile"]),
        ("penstock wait --for dra", ["drained"]),
    ],
)
def test_what_a_shell_asks_for_is_completed(
    words: str, found: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_PENSTOCK_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    with pytest.raises(SystemExit):
        main.answer([])
    assert capsys.readouterr().out.split() == [f"plain,{word}" for word in found]
