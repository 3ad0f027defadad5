from __future__ import annotations

import ast
from pathlib import Path

import pytest

from penstock.cli.init import TEMPLATES, contents, pipeline_name


@pytest.mark.parametrize("template", TEMPLATES)
def test_what_is_written_is_python_named_after_the_directory(template: str) -> None:
    files = contents(template, "demo")
    assert sorted(files) == ["README.md", "app.py", "tests/test_app.py"]
    ast.parse(files["app.py"])
    ast.parse(files["tests/test_app.py"])
    assert 'Pipeline("demo"' in files["app.py"]
    assert files["README.md"].startswith("# demo\n")


@pytest.mark.parametrize("template", TEMPLATES)
def test_nothing_is_left_to_fill_in(template: str) -> None:
    assert not any(
        "{name}" in text or "{stage}" in text or "{pad}" in text for text in contents(template, "x").values()
    )


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_readme_scales_a_stage_that_is_there(template: str) -> None:
    files = contents(template, "demo")
    assert f"def {TEMPLATES[template]}(" in files["app.py"]
    assert f"penstock scale {TEMPLATES[template]}=4 " in files["README.md"]


def test_the_plain_template_needs_nothing_but_penstock() -> None:
    tree = ast.parse(contents("plain", "demo")["app.py"])
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert modules == {"collections", "collections.abc", "penstock"}


@pytest.mark.parametrize(
    ("directory", "name"),
    [
        ("demo", "demo"),
        ("My Own App", "my-own-app"),
        ("3d", "demo-3d"),
        ("a_b", "a-b"),
        ("über", "ber"),
        ("日本", "demo"),
    ],
)
def test_any_directory_gives_a_name_a_pipeline_can_have(tmp_path: Path, directory: str, name: str) -> None:
    assert pipeline_name(tmp_path / directory) == name
