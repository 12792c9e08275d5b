"""service/README.md is a map: every file, every name in it and every make or promise command it gives is there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVICE = ROOT / "service"
MAP = (SERVICE / "README.md").read_text("utf-8")
PLACES = re.findall(r"`([\w/]+\.py):([A-Za-z_][\w.]*)`", MAP)
FILES = re.findall(r"`([\w/.]+(?:\.py|\.json|/))(?::[\w.]+)?`", MAP)
FEWEST = 50  # places the map names today; a pattern that stops matching must not pass


def base(path: str) -> Path:
    return ROOT / path if path.startswith(("tests/", "models/", "loadtest/")) else SERVICE / path


def names(tree: ast.AST, above: str = "") -> set[str]:
    """Classes, functions and assigned names of a module, those of classes after a dot."""
    found = set[str]()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(above + node.name)
        if isinstance(node, ast.ClassDef):
            found |= names(node, f"{above}{node.name}.")
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {above + target.id for target in targets if isinstance(target, ast.Name)}
    return found


def missing(places: list[tuple[str, str]]) -> list[str]:
    """Places that are not in the code."""
    known = {path: names(ast.parse(base(path).read_text("utf-8"))) for path, _ in places if base(path).is_file()}
    return [f"{path}:{name}" for path, name in places if name not in known.get(path, set())]


def test_every_place_of_the_map_is_in_the_code() -> None:
    assert len(PLACES) >= FEWEST
    assert not missing(PLACES)


def test_every_file_of_the_map_exists() -> None:
    assert len(FILES) > len(PLACES)
    assert not [path for path in FILES if not base(path).exists()]
    links = re.findall(r"\]\((?!http)([^)#]+)\)", MAP)
    assert links
    assert not [link for link in links if not (SERVICE / link).exists()]


@pytest.mark.parametrize(
    "place", [("recommender.py", "Recommender.recomend"), ("no/file.py", "serve"), ("settings.py", "Settings.load")]
)
def test_a_place_that_moved_away_is_found(place: tuple[str, str]) -> None:
    assert missing([place]) == [":".join(place)]


def test_the_steps_are_counted_in_order() -> None:
    steps = [int(number) for number in re.findall(r"^(\d+)\. \*\*", MAP, re.MULTILINE)]
    assert steps == list(range(1, len(steps) + 1))
    assert len(steps) > 10
