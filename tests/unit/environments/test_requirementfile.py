from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.environments.requirementfile import Asked, parse, read
from penstock.errors import BadSpec
from penstock.pipeline.place import Place

START = Place("/app/torch.txt", 1)


def test_comments_order_and_spelling_mean_nothing() -> None:
    one = parse("# needed\nNumPy >= 1.21, <3\nscikit_learn[b,a]==1.0 ; python_version<'3.13'  # old\n", START)
    other = parse('scikit-learn[a,b]==1.0;python_version < "3.13"\n\nnumpy<3,>=1.21\n', START)
    assert one == other
    assert one.requirements == ("numpy<3,>=1.21", 'scikit-learn[a,b]==1.0; python_version < "3.13"')


def test_included_files_count_by_what_they_say(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "r.txt").write_text("-r sub/base.txt\n-c limits.txt\nalpha\n")
    (tmp_path / "sub" / "base.txt").write_text("--requirement=more.txt\nbeta\n")
    (tmp_path / "sub" / "more.txt").write_text("-c../limits.txt\ngamma \\\n  >=1\n")
    (tmp_path / "limits.txt").write_text("numpy<2\n")
    assert read(str(tmp_path / "r.txt")) == Asked(("alpha", "beta", "gamma>=1"), ("numpy<2",), ())


def test_options_are_kept_under_one_name_and_hashes_apart() -> None:
    found = parse("-i https://a/simple\n-f wheels\n--pre\nalpha==1 --hash=sha256:ab\n", START)
    assert found == Asked(
        requirements=("alpha==1",),
        constraints=(),
        options=("--index-url https://a/simple", "--find-links wheels"),
        hashes=("alpha sha256:ab",),
        choosing=("--pre",),
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("alpha\n\nrequests=2.0\n", "torch.txt:3: 'requests=2.0' is not a requirement:"),
        ("requests=2.0", "conda's single '=' is '==' here"),
        ("-e .", "torch.txt:1: -e .: a folder or file of this machine cannot be locked for others"),
        ("./lib", "cannot be locked for others"),
        ("lib @ file:///lib", "cannot be locked for others"),
        ("-r https://x/base.txt", "may change unseen"),
        ("--upgrade", "uv does not know this option"),
        (
            "-r gone.txt",
            "torch.txt:1: the requirements /app/gone.txt cannot be read: No such file or directory",
        ),
    ],
)
def test_what_cannot_be_locked_is_one_sentence_with_its_line(text: str, sentence: str) -> None:
    with pytest.raises(BadSpec) as refused:
        parse(text, START)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://me:hunter2@x/simple",
        "-i https://hunter2@x/simple",
        "lib @ git+https://hunter2@x/lib.git",
        "-e git+https://me:hunter2@x/lib.git",
        "-r https://me:hunter2@x/lib.txt",
        "-i https://x/t/hunter2/simple",
        "lib @ https://x/lib.whl?token=hunter2",
    ],
)
def test_a_password_is_refused_and_not_shown(line: str) -> None:
    with pytest.raises(BadSpec, match=r"netrc|unseen") as refused:
        parse(line, START)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("line", ["-f /srv/wheels", "--find-links=~/wheels", "-i file:///srv/simple"])
def test_a_folder_of_this_machine_is_not_locked_for_others(line: str) -> None:
    with pytest.raises(BadSpec, match=r":1: \S+: a path of this machine cannot be locked for others; write"):
        parse(f"{line}\nalpha\n", START)


def test_a_file_that_includes_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("-r b.txt\n")
    (tmp_path / "b.txt").write_text("-r a.txt\n")
    with pytest.raises(BadSpec, match=r"b\.txt:1: -r a\.txt: the file includes itself"):
        read(str(tmp_path / "a.txt"))


def test_code_of_a_repository_may_be_asked_for() -> None:
    assert parse("lib @ git+ssh://git@x/lib.git@v1\n", START).requirements == (
        "lib @ git+ssh://git@x/lib.git@v1",
    )


@given(st.text())
def test_whatever_a_file_says_it_is_read_or_a_sentence(text: str) -> None:
    try:
        parse(text, START)
    except BadSpec as error:
        told = str(error)
    else:
        told = "/app/torch.txt:"
    assert told.startswith("/app/torch.txt:")


@given(st.permutations(["alpha", "beta>=1", "gamma[x]==2", "# nothing", ""]))
def test_any_order_of_lines_means_the_same(lines: list[str]) -> None:
    assert parse("\n".join(lines), START).requirements == ("alpha", "beta>=1", "gamma[x]==2")
