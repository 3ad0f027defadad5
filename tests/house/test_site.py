"""The site: every page is on it, every public name has its docstring there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import penstock

ROOT = Path(__file__).resolve().parents[2]


def test_the_site_is_built_and_every_page_is_on_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    pages = {page.relative_to(ROOT / "docs").with_suffix("") for page in (ROOT / "docs").rglob("*.md")}
    home = (tmp_path / "index.html").read_text("utf-8")
    assert {page for page in pages if f'href="{page}.html"' not in home} <= {Path("index")}


def test_the_home_page_leads_to_what_the_navigation_leads_to_in_its_order() -> None:
    """Who reads the pages where they lie, without the site, has the home page only."""
    links = re.findall(r"\]\(([\w/-]+\.md)\)", (ROOT / "docs" / "index.md").read_text("utf-8"))
    navigation = (ROOT / "mkdocs.yml").read_text("utf-8").partition("\nnav:\n")[2]
    assert ["index.md", *links] == re.findall(r"[\w/-]+\.md", navigation)


def test_every_public_name_is_on_the_page_of_docstrings() -> None:
    page = (ROOT / "docs" / "reference" / "python.md").read_text("utf-8")
    shown = re.findall(r"^::: penstock\.[\w.]+\.(\w+)$", page, re.MULTILINE)
    assert sorted([*shown, "__version__"]) == sorted([*penstock.__all__, "map", "filter"])
