"""What a look at the sources rules out: pickles, evaluated text, shells, requests to elsewhere, plain compares."""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PICKLES = {"pickle", "cPickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "jsonpickle"}
CLIENTS = {"urllib.request", "http.client", "httpx", "requests", "aiohttp", "urllib3", "ftplib", "smtplib", "xmlrpc"}
OFFLINE = ("service/commands/",)  # the command line fetches what its caller names
SECRETS = ("service/api/guard.py", "service/api/live_keys.py", "service/experiments/tokens.py")
TELLING = ("weights_only", "allow_pickle", "shell")
Rule = Callable[[Path], list[str]]


def calls(root: Path, folders: tuple[str, ...], words: str) -> Iterator[tuple[str, ast.AST]]:
    """Calls and imports, with the file they stand in, of files in which one of the words stands."""
    for path in (path for folder in folders for path in sorted((root / folder).rglob("*.py"))):
        source = path.read_text("utf-8")
        if re.search(words, source):
            nodes = ast.walk(ast.parse(source))
            name = path.relative_to(root).as_posix()
            yield from ((name, node) for node in nodes if isinstance(node, ast.Call | ast.Import | ast.ImportFrom))


def imported(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return set()


def called(node: ast.AST) -> tuple[str, dict[str | None, str]]:
    """The name of what is called, and its keywords as text."""
    if not isinstance(node, ast.Call):
        return "", {}
    telling = [one for one in node.keywords if one.arg in TELLING]
    name = ast.unparse(node.func) if isinstance(node.func, ast.Name | ast.Attribute) else ""
    return name, {one.arg: ast.unparse(one.value) for one in telling}


def pickles(root: Path) -> list[str]:
    """Imports of what unpickles, and readers that may; np.load refuses pickles unless told otherwise."""
    found = []
    for name, node in calls(root, ("service", "models", "loadtest"), "|".join((*PICKLES, "torch.load"))):
        call, given = called(node)
        roots = {module.partition(".")[0] for module in imported(node)}
        unsafe = call.endswith("torch.load") and given.get("weights_only") != "True"
        if roots & PICKLES or unsafe or given.get("allow_pickle", "False") != "False" or call.endswith("read_pickle"):
            found.append(f"{name}:{getattr(node, 'lineno', 0)}")
    return found


def evaluations(root: Path) -> list[str]:
    """Text that becomes code or a shell's command; YAML by a loader that is not one of the two strict ones."""
    found = []
    for name, node in calls(root, ("service",), r"eval\(|exec\(|compile\(|system\(|popen\(|yaml|shell"):
        call, given = called(node)
        yaml = call in ("yaml.load", "yaml.unsafe_load", "yaml.full_load") and "_Loader" not in ast.unparse(node)
        if call in ("eval", "exec", "compile", "os.system", "os.popen") or yaml or given.get("shell") == "True":
            found.append(f"{name}:{getattr(node, 'lineno', 0)}")
    return found


def fetches(root: Path) -> list[str]:
    """Clients of other services: what serves has none, so no request can make it ask one. Redis has its own room."""
    return [
        f"{name}:{getattr(node, 'lineno', 0)}"
        for name, node in calls(root, ("service",), "|".join({one.partition(".")[0] for one in CLIENTS}))
        if not name.startswith(OFFLINE) and imported(node) & CLIENTS
    ]


def plain_compares(root: Path) -> list[str]:
    """Modules that compare secrets without hmac.compare_digest."""
    found = []
    for name in SECRETS:
        path = root / name
        if path.is_file() and "hmac.compare_digest(" not in path.read_text("utf-8"):
            found.append(name)
    return found


@pytest.mark.parametrize("rule", [pickles, evaluations, fetches, plain_compares])
def test_the_sources_hold_no_such_thing(rule: Rule) -> None:
    assert not rule(ROOT)


@pytest.mark.parametrize(
    ("path", "source", "rule"),
    [
        ("service/a.py", "import pickle", pickles),
        ("service/a.py", "from joblib import load", pickles),
        ("models/a.py", "import torch\ntorch.load('x')", pickles),
        ("models/a.py", "np.load(x, allow_pickle=True)", pickles),
        ("service/a.py", "eval(text)", evaluations),
        ("service/a.py", "yaml.load(text, yaml.UnsafeLoader)", evaluations),
        ("service/a.py", "subprocess.run(text, shell=True)", evaluations),
        ("service/api/a.py", "import urllib.request", fetches),
        ("service/api/a.py", "from http.client import HTTPConnection", fetches),
        ("service/api/guard.py", "given == token", plain_compares),
    ],
)
def test_such_a_thing_would_be_found(tmp_path: Path, path: str, source: str, rule: Rule) -> None:
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_text(source)
    assert len(rule(tmp_path)) == 1
