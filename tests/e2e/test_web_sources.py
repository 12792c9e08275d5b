"""The sources of the pages: plain, small, of this house alone, and what the content security policy lets run."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WEB = ROOT / "service/web"
SOURCES = sorted(path for path in WEB.rglob("*") if path.suffix in {".html", ".css", ".js", ".svg"})
SCRIPTS = [path for path in SOURCES if path.suffix == ".js"]
PAGES = [path for path in SOURCES if path.suffix == ".html"]
MOST_LINES = 250
NAMESPACE = "http://www.w3.org/2000/svg"  # a name, never fetched
UNSAFE = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "cssText")


def named(path: Path) -> str:
    return path.relative_to(WEB).as_posix()


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_a_source_is_small_and_names_no_other_host(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    assert not re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}[^\s\"']*", text.replace(NAMESPACE, ""))


@pytest.mark.parametrize("path", SCRIPTS, ids=named)
def test_a_script_parses_no_markup_and_imports_what_is_there(path: Path) -> None:
    text = path.read_text("utf-8")
    assert not [unsafe for unsafe in UNSAFE if unsafe in text]
    imported = re.findall(r"(?:from|import\() ?\"([^\"]+)\"", text)
    assert all(name.startswith(".") for name in imported)
    assert not [name for name in imported if not (path.parent / name).is_file()]


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_a_page_holds_no_script_or_style_of_its_own(path: Path) -> None:
    text = path.read_text("utf-8")
    assert not re.findall(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|javascript:", text)
    linked = re.findall(r"(?:src|href)=\"(web/[^\"]+)\"", text)
    assert linked
    assert not [name for name in linked if not (WEB / name.removeprefix("web/")).is_file()]


def test_every_script_is_used() -> None:
    text = "".join(path.read_text("utf-8") for path in SOURCES)
    assert not [path.name for path in SCRIPTS if f"/{path.name}" not in text]
