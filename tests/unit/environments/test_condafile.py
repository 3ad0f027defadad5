from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.environments import condafile
from penstock.environments.channels import Channel
from penstock.environments.condafile import EnvironmentFile
from penstock.errors import BadSpec

WHOLE = """\
name: vision
channels:
  - conda-forge
  - nodefaults
  - ./local
dependencies:
  - python=3.10          # as the cluster has it
  - "numpy >=1.21"
  - sel(win): pywin32
  - libgl  # [linux and not aarch64]
  - pip
  - pip:
      - msgspec
      - -r more.txt
      - uvloop  # [unix]
variables:
  FLAG: yes
  DEPTH: 3.10
platforms: [linux-64, osx-arm64]
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the file lies; it is the current one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "more.txt").write_text("left-turn>=1  # and no further\n")
    return tmp_path


def read(text: str | bytes) -> EnvironmentFile:
    Path("environment.yml").write_bytes(text.encode() if isinstance(text, str) else text)
    return condafile.read(str(Path("environment.yml").absolute()), "penstock.toml:3")


def wrong(text: str | bytes) -> str:
    with pytest.raises(BadSpec) as caught:
        read(text).sources({})
    return str(caught.value)


def test_it_is_read_as_conda_reads_it_for_each_platform(folder: Path) -> None:
    file = read(WHOLE)
    linux, mac, windows = (
        file.request(each, file.sources({})) for each in ("linux-64", "osx-arm64", "win-64")
    )
    assert linux.specs == ("python=3.10", "numpy >=1.21", "libgl", "pip")
    assert mac.specs == ("python=3.10", "numpy >=1.21", "pip")
    assert windows.specs == ("python=3.10", "numpy >=1.21", "pywin32", "pip")
    assert (linux.pip, windows.pip) == ("msgspec\n-r more.txt\nuvloop\n", "msgspec\n-r more.txt\n")
    assert linux.places[1] == "environment.yml:8:5"
    assert [each.name for each in linux.channels] == ["conda-forge", "./local"]
    assert linux.channels[1].url == (folder / "local").as_uri()
    assert file.platforms == ("linux-64", "osx-arm64")


def test_scalars_stay_as_they_are_written() -> None:
    assert read(WHOLE).variables == {"FLAG": "yes", "DEPTH": "3.10"}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_says_how_it_is_encoded(encoding: str) -> None:
    assert read(WHOLE.encode(encoding)).variables == read(WHOLE).variables


def test_what_is_ignored_or_added_is_said_once_with_its_place() -> None:
    file = read("prefix: /opt/x\nfoo: 1\ndependencies:\n  - numpy\n")
    assert file.request("linux-64", ()).specs == ("numpy", "python")
    assert file.notes == (
        "environment.yml:1:1: 'prefix' is ignored: Penstock chooses where environments lie",
        "environment.yml:2:1: 'foo' is no key of an environment.yml and is ignored",
        "environment.yml:4:3: no python is asked for; the newest that fits is taken",
        "environment.yml: no channel is named; conda-forge is taken",
    )
    assert read(WHOLE).notes == ()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "environment.yml: the file is empty"),
        ("# nothing\n", "environment.yml: the file is empty"),
        ("- numpy\n", "environment.yml:1:1: there must be keys like 'dependencies:' at the top"),
        (
            "dependencies:\n\t- numpy\n",
            "environment.yml:2:1: this is not YAML: found character '\\t' that cannot start any token; a tab",
        ),
        (
            "name: [x\ndependencies:\n",
            "environment.yml:2:13: this is not YAML: expected ',' or ']', but got ':'",
        ),
        (
            "dependencies: [a]\n---\ndependencies: [b]\n",
            "environment.yml:2:1: this is not YAML: but found another document",
        ),
        (
            "dependencies: [" + "[" * 5000,
            "environment.yml: this is not YAML that people write: it is nested too deeply",
        ),
        (
            "dependancies:\n  - numpy\n",
            "environment.yml:1:1: there is no key 'dependancies'; did you mean 'dependencies'?",
        ),
        (
            "packages: [numpy]\n",
            "environment.yml:1:1: there is no key 'packages'; did you mean 'dependencies'?",
        ),
        ("name: x\n", "environment.yml:1:1: there is no 'dependencies:' in it"),
        (
            "dependencies: numpy\n",
            "environment.yml:1:15: 'dependencies' must be a list: lines that begin with '- '",
        ),
        (
            "dependencies: [a]\ndependencies: [b]\n",
            "environment.yml:2:1: the key 'dependencies' appears twice",
        ),
        (
            "dependencies:\n  - python: 3.10\n",
            "environment.yml:2:5: 'python: ...' is a mapping; write 'python=3.10', without a colon",
        ),
        ("dependencies:\n  -\n", "environment.yml:2:4: there is no package behind the '-'"),
        (
            "dependencies:\n  - uvicorn[standard]\n",
            "environment.yml:2:5: 'uvicorn[standard]' has extras, which conda does not know; requ",
        ),
        (
            "dependencies:\n  - npm:\n    - left-pad\n",
            "environment.yml:2:5: there is no section 'npm' under 'dependencies'; there is 'pip'",
        ),
        (
            "dependencies:\n  - pipp:\n    - left-pad\n",
            "environment.yml:2:5: there is no section 'pipp' under 'dependencies'; did you mean 'pip'?",
        ),
        (
            "dependencies:\n  - [a, b]\n",
            "environment.yml:2:5: expected a package like 'numpy >=1.21', or 'pip:' with a list",
        ),
        (
            "dependencies:\n  - pip: requests\n",
            "environment.yml:2:10: 'pip:' must be a list; write each requirement on its own line",
        ),
        (
            "dependencies:\n  - pip: [a]\n  - pip: [b]\n",
            "environment.yml:3:5: there is a second 'pip:'; write all of it into one",
        ),
        (
            "dependencies:\n  - pip:\n    - requests=2.0\n",
            "environment.yml:3:7: 'requests=2.0' is not a requirement: ",
        ),
        (
            "dependencies:\n  - pip:\n    - -r missing.txt\n",
            "environment.yml:3:7: the requirements missing.txt cannot be read: No such file or directory",
        ),
        (
            "dependencies:\n  - pip:\n    - -e .\n",
            "environment.yml:3:7: -e .: a folder or file of this machine",
        ),
        (
            "dependencies:\n  - pip:\n    - --index-url https://me:h3mm3r@host/simple\n",
            "environment.yml:3:7: a user name or password is in the address",
        ),
        (
            "dependencies:\n  - foo  # [py<39]\n",
            "environment.yml:2:5: the selector [py<39] may say platforms, and, or, not; nothing else",
        ),
        (
            "dependencies:\n  - sel(linx): foo\n",
            "environment.yml:2:5: the selector [linx] says 'linx'; did you mean 'linux'?",
        ),
        (
            "channels: conda-forge\ndependencies: [python]\n",
            "environment.yml:1:11: 'channels' must be a list: lines that begin with '- '",
        ),
        (
            "channels: [defaults]\ndependencies: [python]\n",
            "environment.yml:1:12: the channel 'defaults' is Anaconda's, under terms of its own; ",
        ),
        (
            "channels:\n  - https://x/t/${NOPE}/chan\ndependencies: [python]\n",
            "environment.yml:2:5: the channel 'https://x/t/${NOPE}/chan' needs the variable NOPE, wh",
        ),
        (
            "channels:\n  - https://me:h3mm3r@x/chan\ndependencies: [python]\n",
            "environment.yml:2:5: there is a user or a password in the address of a channel; write it into ",
        ),
        (
            'dependencies: [python]\nvariables:\n  A: "\\ud800"\n',
            "environment.yml:3:6: the value of A has half a character in it",
        ),
        (
            "dependencies: [python]\nvariables:\n  1X: a\n",
            "environment.yml:3:3: '1X' cannot be the name of an environment variable",
        ),
        (
            "dependencies: [python]\nvariables:\n  - A=b\n",
            "environment.yml:3:3: 'variables' must be a mapping: lines like 'NAME: value'",
        ),
        (
            "dependencies: [python]\nvariables:\n  A: [b]\n",
            "environment.yml:3:6: the value of A must be plain text",
        ),
        (
            "dependencies: [python]\nplatforms: [noarch]\n",
            "environment.yml:2:13: there is no platform 'noarch'; there is ",
        ),
        (
            "dependencies: [python]\nplatforms: [linux64]\n",
            "environment.yml:2:13: there is no platform 'linux64'; did you mean 'linux-64'?",
        ),
        (b"\xff\x00\xff", "environment.yml: the file is not text in UTF-8"),
        ("dependencies: [\x01]\n", "environment.yml: this is not YAML: "),
    ],
)
def test_what_is_wrong_is_one_sentence_with_line_and_column(text: str | bytes, sentence: str) -> None:
    said = wrong(text)
    assert said.startswith(sentence)
    assert len(said.splitlines()) == 1
    assert "h3mm3r" not in said


def test_a_file_that_is_not_there_is_told_where_it_is_named() -> None:
    with pytest.raises(BadSpec, match=r"^penstock\.toml:3: .*nope\.yml cannot be read: No such file"):
        condafile.read("nope.yml", "penstock.toml:3")


def test_a_mistake_in_an_included_file_is_told_there() -> None:
    Path("more.txt").write_text("fine\nnot=right\n")
    assert wrong("dependencies:\n  - pip:\n    - -r more.txt\n").startswith("more.txt:2: 'not=right' is not")


def test_a_token_is_in_what_is_asked_for_and_nowhere_else() -> None:
    text = "channels:\n  - https://x/t/{}/chan\ndependencies: [python]\n"
    file = read(text.format("SECRET"))
    assert file.sources({}) == (Channel("https://x/chan", "https://x/chan", "https://x/t/SECRET/chan"),)
    assert "SECRET" not in f"{file.canonical()} {file.notes}"
    named = read(text.format("${TOKEN}"))
    [found] = named.sources({"TOKEN": "SECRET"})
    assert found == Channel("https://x/t/${TOKEN}/chan", "https://x/chan", "https://x/t/SECRET/chan")
    assert named.canonical()["channels"] == [found.name]


def test_what_it_means_is_the_same_whatever_its_name_order_and_comments_are() -> None:
    other = WHOLE.replace("name: vision", "name: other").replace("# as the cluster has it", "").splitlines()
    other[6:8] = reversed(other[6:8])
    assert read("\n".join(other)).canonical() == read(WHOLE).canonical()
    for before, after in [
        ("3.10 ", "3.11 "),
        ("msgspec", "msgspec<1"),
        ("FLAG: yes", "FLAG: no"),
        ("./local", "x"),
    ]:
        assert read(WHOLE.replace(before, after)).canonical() != read(WHOLE).canonical()


def test_what_it_means_changes_with_a_file_that_it_includes() -> None:
    before = read(WHOLE).canonical()
    Path("more.txt").write_text("left-turn>=1\n")
    assert read(WHOLE).canonical() == before
    Path("more.txt").write_text("left-turn>=2\n")
    assert read(WHOLE).canonical() != before


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet="ab:-[]{}#&*!|>'\"%@` \n\t0~", max_size=60))
def test_whatever_stands_in_it_is_read_or_refused_in_one_sentence(text: str) -> None:
    try:
        read(text)
    except BadSpec as error:
        said = str(error)
    else:
        return
    assert said.startswith("environment.yml")
    assert len(said.splitlines()) == 1
