"""Imports point one way, and serving needs nothing that only an extra installs. Proven on sources, not by running."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from import_rules import COMMAND_LINE, MAY_IMPORT, ONLY_IN, SERVING, WITH_RAY

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("service", "models", "loadtest")
EXISTING = ("service/recommender.py", "service/budget/ladder.py", "models/manifest.py", "models/training.py")
IMPORT_NAMES = {"scikit-learn": "sklearn", "pyyaml": "yaml"}


@dataclass(frozen=True)
class Import:
    """`module` imports `target` at `line`; lazily inside a function, or when only a type checker looks."""

    module: str
    target: str
    line: int
    lazy: bool

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.target}"


def read(root: Path) -> list[Import]:
    paths = sorted(path for folder in PRODUCT for path in (root / folder).rglob("*.py"))
    names = {dotted(path.relative_to(root)): path for path in paths}
    return [item for name, path in names.items() for item in imports(name, path, set(names))]


def dotted(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(name: str, path: Path, known: set[str]) -> Iterator[Import]:
    tree = ast.parse(path.read_text("utf-8"), str(path))
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    waiting = {id(inner) for node in ast.walk(tree) if waits(node) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        for target in targets(node, package, known):
            yield Import(name, target, getattr(node, "lineno", 0), id(node) in waiting)


def waits(node: ast.AST) -> bool:
    checker = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    return checker or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def targets(node: ast.AST, package: str, known: set[str]) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        parts = package.split(".")
        above = parts[: len(parts) - node.level + 1] if node.level else []
        base = ".".join([*above, *([node.module] if node.module else [])])
        return [full if (full := f"{base}.{alias.name}") in known else base for alias in node.names]
    if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("__import__", "import_module"):
        return [a.value for a in node.args[:1] if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    return []


def inside(name: str, parts: tuple[str, ...]) -> bool:
    return any(name == part or name.startswith(f"{part}.") for part in parts)


def part_of(name: str) -> str:
    return max((part for part in MAY_IMPORT if inside(name, (part,))), key=len)


def backward(found: list[Import]) -> list[Import]:
    ours = [item for item in found if inside(item.target, PRODUCT)]
    return [item for item in ours if not inside(item.target, MAY_IMPORT[part_of(item.module)])]


def heavy(found: list[Import], packages: tuple[str, ...]) -> list[Import]:
    """Imports of a serving module that the base installation cannot satisfy."""
    serving = [item for item in found if inside(item.module, SERVING) and not inside(item.target, SERVING)]
    return [item for item in serving if inside(item.target, (*packages, "models")) and not excused(item)]


def excused(item: Import) -> bool:
    if item.module == WITH_RAY:
        return inside(item.target, ("ray",))
    return item.lazy and inside(item.module, COMMAND_LINE) and not inside(item.target, ("torch",))


def unwrapped(found: list[Import]) -> list[Import]:
    return [item for item in found for package in ONLY_IN if inside(item.target, (package,)) and astray(item, package)]


def astray(item: Import, package: str) -> bool:
    return not inside(item.module, ONLY_IN[package])


def packages_of_extras() -> tuple[str, ...]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    base = {import_name(line) for line in project["dependencies"]}
    extras = {import_name(line) for lines in project["optional-dependencies"].values() for line in lines}
    return tuple(sorted(extras - base))


def import_name(requirement: str) -> str:
    name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].lower()
    return IMPORT_NAMES.get(name, name.replace("-", "_"))


@pytest.fixture(scope="module")
def tree() -> list[Import]:
    return read(ROOT)


def test_imports_point_one_way(tree: list[Import]) -> None:
    assert not [str(item) for item in backward(tree)]


def test_no_module_imports_itself_in_a_circle(tree: list[Import]) -> None:
    edges: dict[str, set[str]] = {}
    for item in tree:
        if not item.lazy and inside(item.target, PRODUCT):
            edges.setdefault(item.module, set()).add(item.target)
    list(TopologicalSorter(edges).static_order())  # raises CycleError, which names the circle


def test_every_part_of_the_service_has_its_rule() -> None:
    parts = {dotted(path.relative_to(ROOT)) for path in (ROOT / "service").rglob("*.py")}
    assert not sorted(name for name in parts if part_of(name) == "service" and name != "service")


def test_serving_imports_only_what_the_base_installation_brings(tree: list[Import]) -> None:
    packages = packages_of_extras()
    assert {"torch", "sklearn", "pyarrow", "locust", "pytest"} <= set(packages)
    assert not [str(item) for item in heavy(tree, packages)]


def test_wrapped_packages_stay_in_their_room(tree: list[Import]) -> None:
    assert not [str(item) for item in unwrapped(tree)]


def test_every_service_module_imports_without_the_extras() -> None:
    every = {dotted(path.relative_to(ROOT)) for path in (ROOT / "service").rglob("*.py")}
    names = sorted(every - {WITH_RAY})
    code = (
        "import importlib, sys\n"
        f"sys.modules.update(dict.fromkeys({packages_of_extras()!r}))\n"  # None in sys.modules: ImportError on import
        f"for name in {names!r}: importlib.import_module(name)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("path", "line", "rule"),
    [
        ("service/search/a.py", "from service import recommender", backward),
        ("service/search/a.py", "from ..budget import ladder", backward),
        ("service/api/a.py", "def f():\n    import service.engine.graphs", backward),
        ("service/cache/a.py", "from models import manifest", backward),
        ("models/training.py", "from service.search import trie", backward),
        ("loadtest/locustfile.py", "import service.settings", backward),
        ("service/api/a.py", "import onnxruntime as ort", unwrapped),
        ("service/recommender.py", "from prometheus_client import Counter", unwrapped),
        ("service/cli.py", "def f():\n    import torch.nn", lambda found: heavy(found, ("torch",))),
        (
            "service/app.py",
            "import importlib\nimportlib.import_module('models.training')",
            lambda found: heavy(found, ()),
        ),
        ("service/cli.py", "from models.training import train", lambda found: heavy(found, ())),
        ("service/ray_serve.py", "import torch", lambda found: heavy(found, ("torch", "ray"))),
        ("service/runtime.py", "import ray", lambda found: heavy(found, ("torch", "ray"))),
    ],
)
def test_a_forbidden_import_is_found(
    tmp_path: Path, path: str, line: str, rule: Callable[[list[Import]], list[Import]]
) -> None:
    for name in (path, *EXISTING):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / path).write_text(line)
    assert len(rule(read(tmp_path))) == 1


def test_the_command_line_may_import_lazily(tmp_path: Path) -> None:
    (tmp_path / "service").mkdir()
    source = "def f():\n    from models.training import train\n    import pyarrow\nif TYPE_CHECKING:\n    import models"
    (tmp_path / "service/cli.py").write_text(source)
    assert not heavy(read(tmp_path), ("pyarrow", "torch"))
