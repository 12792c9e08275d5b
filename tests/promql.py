"""What PromQL asks for beside what an exposition offers: names, labels and kinds, without a Prometheus."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from prometheus_client.parser import text_string_to_metric_families

from service.ops.dashboard import TARGET

OPS = Path(__file__).resolve().parents[1] / "service" / "ops"
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\[[^]]*\]|[a-zA-Z_:][\w:]*|\d[\w.]*|\S')
NAME = re.compile(r"[a-zA-Z_:][\w:]*")
LISTS = {"by", "without", "on", "ignoring", "group_left", "group_right"}
WORDS = LISTS | {"and", "or", "unless", "offset", "bool", "inf", "nan"}
CALLS = ("(", "by", "without")  # what comes after the name of a function
RATES = {"rate", "increase"}
SCRAPED = frozenset({"job", "instance"})  # labels that Prometheus adds


class Offer(NamedTuple):
    """Labels of a series, and whether it only ever grows."""

    labels: frozenset[str]
    grows: bool


class Read(NamedTuple):
    """A series that an expression reads: the labels it names there, and the function that takes it."""

    name: str
    labels: frozenset[str]
    function: str


def offered(exposition: str) -> dict[str, Offer]:
    """Every series of a process, `up`, and what the rules record (a record's level names its labels)."""
    found = {"up": Offer(SCRAPED, False)}
    for family in text_string_to_metric_families(exposition):
        for sample in family.samples:
            before = found.get(sample.name, Offer(SCRAPED, False)).labels
            found[sample.name] = Offer(before | frozenset(sample.labels), family.type in ("counter", "histogram"))
    for rule in rules():
        if "record" in rule:
            found[rule["record"]] = Offer(frozenset(rule["record"].partition(":")[0].split("_")), False)
    return found


def mistakes(expr: str, known: Mapping[str, Offer]) -> list[str]:
    """Every name or label that is not offered, and every counter that is read as if it were a gauge or the reverse."""
    reads, grouped = list(_reads(expr)), set(_grouped(expr))
    found = [f"there is no {read.name}" for read in reads if read.name not in known]
    reads = [read for read in reads if read.name in known]
    for read in reads:
        offer = known[read.name]
        found += [f"{read.name} has no label {label}" for label in sorted(read.labels - offer.labels)]
        if offer.grows != (read.function in RATES) and read.name != "process_start_time_seconds":
            found.append(f"{read.name} does not belong into {read.function or 'the open'}")
    labels = frozenset[str]().union(*(known[read.name].labels for read in reads))
    return found + [f"nothing here has the label {label}" for label in sorted(grouped - labels)]


def rules() -> list[dict[str, Any]]:
    """Every rule of the Prometheus configuration."""
    files = sorted((OPS / "prometheus" / "rules").glob("*.yml"))
    groups = [group for path in files for group in yaml.safe_load(path.read_text("utf-8"))["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    """Every panel of the committed dashboard that shows something."""
    return [panel for panel in json.loads(TARGET.read_text("utf-8"))["panels"] if panel["type"] != "row"]


def shown() -> list[tuple[str, str]]:
    """Title and expression of every query of the dashboard."""
    return [(panel["title"], target["expr"]) for panel in panels() for target in panel["targets"]]


def marked() -> list[tuple[str, str]]:
    """The same of its annotations."""
    return [(one["name"], one["expr"]) for one in json.loads(TARGET.read_text("utf-8"))["annotations"]["list"]]


def _reads(expr: str) -> Iterator[Read]:
    tokens = [*TOKEN.findall(expr), ""]
    at = 0
    while at < len(tokens) - 1:
        word, after = tokens[at], tokens[at + 1]
        if word in LISTS and after == "(":
            at = tokens.index(")", at)
        elif NAME.fullmatch(word) and word not in WORDS and after not in CALLS:
            end = tokens.index("}", at) if after == "{" else at
            inside = zip(tokens[at + 1 : end], tokens[at + 2 : end + 1], strict=True)
            labels = frozenset(one for one, sign in inside if NAME.fullmatch(one) and sign in "=!")
            yield Read(word, labels, tokens[at - 2] if tokens[at - 1] == "(" and NAME.fullmatch(tokens[at - 2]) else "")
            at = end
        at += 1


def _grouped(expr: str) -> Iterator[str]:
    for inside in re.findall(rf"\b(?:{'|'.join(LISTS)})\s*\(([^)]*)\)", expr):
        yield from NAME.findall(inside)
