"""Only the settings read the environment, pure rooms call no clock and no file, files stay short."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("service", "models", "loadtest")
MAX_LINES = 250
SETTINGS = Path("service/settings.py")
PURE = ("service/search/", "service/budget/", "service/experiments/assignment.py", "service/cache/codec.py")
ENVIRONMENT = frozenset({"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv", "expandvars"})
IO_MODULES = (
    "asyncio datetime http httpx io logging multiprocessing onnxruntime os pathlib prometheus_client random redis"
    " requests secrets select shutil signal socket ssl structlog subprocess tempfile threading urllib uuid"
)
BUILTINS = ("open", "print", "input")
EFFECTS = ("time.", "np.load", "np.save", "np.fromfile", "np.random", "np.memmap")


def sources(root: Path, folders: tuple[str, ...]) -> Iterator[tuple[Path, str]]:
    for folder in folders:
        for path in sorted((root / folder).rglob("*.py")):
            yield path.relative_to(root), path.read_text("utf-8")


def environment_readers(root: Path) -> list[str]:
    return [
        f"{path}:{line} {text}"
        for path, source in sources(root, PRODUCT)
        if path != SETTINGS
        for line, text in environment_reads(ast.parse(source))
    ]


def environment_reads(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        attribute = isinstance(node, ast.Attribute) and node.attr in ENVIRONMENT
        imported = isinstance(node, ast.ImportFrom) and bool(ENVIRONMENT & {alias.name for alias in node.names})
        option = isinstance(node, ast.keyword) and node.arg in ("envvar", "env_var")
        if attribute or imported or option:
            yield getattr(node, "lineno", 0), ast.unparse(node)


def effects(root: Path) -> list[str]:
    return [
        f"{path}:{line} {text}"
        for path, source in sources(root, ("service",))
        if path.as_posix().startswith(PURE)
        for line, text in calls_outside(ast.parse(source))
    ]


def calls_outside(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """I/O modules; calls of a clock, a file or a global random source. Naming a clock as a default is allowed."""
    for node in ast.walk(tree):
        name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
        hidden_clock = isinstance(node, ast.ImportFrom) and node.module == "time"
        io = {imported.split(".")[0] for imported in imported_names(node)} & set(IO_MODULES.split())
        if io or hidden_clock or name in BUILTINS or name.startswith(EFFECTS):
            yield getattr(node, "lineno", 0), ast.unparse(node)


def imported_names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""] if node.level == 0 else []
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []


def trusting(root: Path) -> list[str]:
    """Asserts that do more than tell the type checker what is known already; with -O nothing of a service changes."""
    return [
        f"{path}:{node.lineno} {ast.unparse(node.test)}"
        for path, source in sources(root, PRODUCT)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Assert) and (path.parts[0] == "service" or not _narrows(node.test))
    ]


def _narrows(test: ast.expr) -> bool:
    text = ast.unparse(test)
    return text.endswith(" is not None") or text.startswith("isinstance(")


def too_long(root: Path) -> list[str]:
    lengths = {path: source.count("\n") for path, source in sources(root, (*PRODUCT, "tests"))}
    return [f"{path} has {lines} lines" for path, lines in lengths.items() if lines > MAX_LINES]


@pytest.mark.parametrize("rule", [environment_readers, effects, trusting, too_long])
def test_the_tree_keeps_the_habit(rule: Callable[[Path], list[str]]) -> None:
    assert not rule(ROOT)


@pytest.mark.parametrize(
    ("path", "source", "rule"),
    [
        ("service/app.py", "import os as system\nsystem.environ['PROMISE_PORT']", environment_readers),
        ("models/data.py", "from os import getenv", environment_readers),
        ("service/cli.py", "typer.Option(envvar='PROMISE_BUNDLE')", environment_readers),
        ("service/search/guided.py", "import time\ntime.time()", effects),
        ("service/budget/cost.py", "from time import monotonic", effects),
        ("service/cache/codec.py", "open('x')", effects),
        ("service/cache/codec.py", "import os.path", effects),
        ("service/experiments/assignment.py", "from datetime import datetime", effects),
        ("service/search/trie.py", "np.random.default_rng()", effects),
        ("service/items.py", "assert row is not None", trusting),
        ("models/data.py", "assert len(rows) == 2", trusting),
        ("tests/test_long.py", "\n" * (MAX_LINES + 1), too_long),
    ],
)
def test_a_broken_habit_is_found(tmp_path: Path, path: str, source: str, rule: Callable[[Path], list[str]]) -> None:
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_text(source)
    assert len(rule(tmp_path)) == 1


@pytest.mark.parametrize(
    ("path", "source", "rule"),
    [
        ("service/settings.py", "import os\nos.environ", environment_readers),
        ("service/search/guided.py", "import time\ndef f(clock=time.monotonic): clock()", effects),
        ("service/runtime.py", "import time\ntime.monotonic()", effects),
        ("models/a.py", "\n" * MAX_LINES, too_long),
        ("loadtest/a.py", "assert found is not None\nassert isinstance(found, str), found", trusting),
    ],
)
def test_what_the_habit_allows(tmp_path: Path, path: str, source: str, rule: Callable[[Path], list[str]]) -> None:
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_text(source)
    assert not rule(tmp_path)
