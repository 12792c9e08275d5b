"""README.md as its tests read it: sections, code blocks, commands, and what a block says of not being run."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
_BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<why>[^\n]*?) -->\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Block:
    """One fenced block; `why` a comment above it says that the tests do not run it, empty where they do."""

    section: str
    language: str
    text: str
    why: str

    @property
    def commands(self) -> list[str]:
        """The command lines, those that go on joined, comments at their ends cut off."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [command for line in lines if (command := re.sub(r"(^|\s)# .*", "", line).strip())]


def section(title: str) -> str:
    """The text below a heading of the second level, up to the next one."""
    return README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def blocks(language: str = "", title: str = "") -> list[Block]:
    """The blocks of the page in order; of one language and of one section where these are given."""
    parts = re.split(r"^## (.+)$", README, flags=re.MULTILINE)
    named = zip(["", *parts[1::2]], parts[::2], strict=True)
    found = [
        Block(name, match["language"], match["text"], match["why"] or "")
        for name, text in named
        for match in _BLOCK.finditer(text)
    ]
    return [one for one in found if language in ("", one.language) and title in ("", one.section)]


def shape(value: Any, path: str = "") -> set[str]:
    """Every key of a JSON document, as a path; of a list, its first entry."""
    if isinstance(value, list):
        return shape(value[0], f"{path}[]") if value else {path}
    if isinstance(value, dict):
        return {path}.union(*(shape(inner, f"{path}.{key}") for key, inner in value.items()))
    return {path}
