"""Strategies of the shelf as methods to evaluate, and a digest of what each does."""

import ast
import hashlib
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from models.evaluation.ranking import Method, rule_of
from models.manifest import Manifest, Walk
from models.shelf.settings import Setting
from service.budget.difficulty import Gauge
from service.search.plan import Level, Plan
from service.search.strategies.routed import Router
from service.search.strategies.shelf import changed

SEARCH = "service.search."
COMMON = tuple(SEARCH + name for name in ("choosing", "csr", "guided", "plan", "pool", "staged"))
PARTS = ("keeping", "finishing", "routing")  # of a plan, where a strategy has its parameters


def method(setting: Setting, manifest: Manifest, walk: Walk | None = None) -> Method:
    """The search of a setting as the service would run it over this bundle, its correction included.

    Requests are routed by the difficulty that `walk` measures, without it by the entropy of the first level.
    """
    levels = tuple(Level(*pair) for pair in setting.levels)
    pool = manifest.correction.pool if manifest.correction else 0
    plan = Plan(levels, rule=rule_of(manifest.scoring), rescore=pool)
    return Method(setting.name, _tuned(changed(plan, setting.strategy, Router(_gauge(walk))), dict(setting.numbers)))


def _tuned(plan: Plan, numbers: dict[str, Any]) -> Plan:
    """The strategy's own part of the plan with these parameters in the place of its own."""
    own = [name for name in PARTS if getattr(plan, name) is not None]
    return replace(plan, **{name: replace(getattr(plan, name), **numbers) for name in own}) if numbers else plan


def _gauge(walk: Walk | None) -> Gauge:
    if walk is None or walk.learned is None:
        return Gauge(walk.signal) if walk else Gauge()
    return Gauge(walk.signal, walk.learned.bias, walk.learned.weights, walk.learned.codes)


def definition(found: Method) -> str:
    """Digest of a method's plan and of the code that is its strategy's own; comments and layout do not count."""
    plan = found.plan
    own = [part for name in PARTS if (part := getattr(plan, name, None)) is not None]
    modules = {name for part in own for name in _modules(type(part).__module__)}
    code = [_code(Path(str(sys.modules[name].__file__))) for name in sorted(modules)]
    return hashlib.sha256("\n".join([_told(plan), *code]).encode()).hexdigest()


def _told(plan: Plan | None) -> str:
    """What a plan says beyond the defaults."""
    told = {x.name: getattr(plan, x.name) for x in fields(Plan)} if plan else {}
    plain = {x.name: x.default for x in fields(Plan)}
    return repr({name: value for name, value in told.items() if value != plain[name]})


def _modules(name: str) -> set[str]:
    """A strategy's module, and those of the search that it takes something from and guided search does not need."""
    taken = {str(getattr(value, "__module__", "")) for value in vars(sys.modules[name]).values()}
    return {name, *(module for module in taken if module.startswith(SEARCH) and module not in COMMON)}


def _code(path: Path) -> str:
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.dump(tree)
