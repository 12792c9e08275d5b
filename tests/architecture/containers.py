"""What the Dockerfile, .dockerignore and docker-compose.yml say, read as builders read them."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Stage:
    """One stage: its instructions in order, as (name in capitals, the rest on one line)."""

    name: str
    source: str
    steps: tuple[tuple[str, str], ...]

    def all(self, instruction: str) -> list[str]:
        return [rest for name, rest in self.steps if name == instruction]


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Comments gone, also those inside a continued instruction; continued lines joined."""
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in lines.replace("\\\n", " ").splitlines():
        if line.strip():
            name, _, rest = line.strip().partition(" ")
            yield name.upper(), " ".join(rest.split())


def stages(text: str) -> dict[str, Stage]:
    """Stages by name in order; what stands before the first FROM is the stage ''."""
    name, source, steps, found = "", "", list[tuple[str, str]](), dict[str, Stage]()
    for instruction, rest in instructions(text):
        if instruction == "FROM":
            found[name] = Stage(name, source, tuple(steps))
            (source, _, name), steps = rest.split(), []
        else:
            steps.append((instruction, rest))
    return found | {name: Stage(name, source, tuple(steps))}


def lineage(found: dict[str, Stage], name: str) -> list[Stage]:
    """The stage and those it is built on, itself first."""
    stage = found.get(name)
    return [] if stage is None else [stage, *lineage(found, stage.source)]


def last(found: dict[str, Stage], name: str, instruction: str) -> str:
    """What holds in the end: the last of this instruction in the stage, else in the one below."""
    said = (stage.all(instruction) for stage in lineage(found, name))
    return next((rests[-1] for rests in said if rests), "")


def environment(found: dict[str, Stage], name: str) -> dict[str, str]:
    lines = [rest for stage in reversed(lineage(found, name)) for rest in stage.all("ENV")]
    return dict(part.split("=", 1) for line in lines for part in shlex.split(line))


def copied(found: dict[str, Stage]) -> set[str]:
    """Every path of the build context that a COPY names."""
    rests = [rest for stage in found.values() for rest in stage.all("COPY") if "--from=" not in rest]
    return {source for rest in rests for source in rest.split()[:-1]}


def exec_form(rest: str) -> list[str]:
    """The command of a CMD or HEALTHCHECK in exec form; an error for a shell form."""
    return [str(part) for part in json.loads(rest[rest.index("[") :])]


def let_through(path: str, patterns: list[str]) -> bool:
    """Whether .dockerignore leaves this file in the build context: the last pattern that meets it decides."""
    parts = path.split("/")
    above = ["/".join(parts[: count + 1]) for count in range(len(parts))]
    kept = True
    for pattern in patterns:
        wanted = pattern.removeprefix("!")
        anywhere = wanted.removeprefix("**/")
        names = [name.rpartition("/")[2] for name in above] if anywhere != wanted else above
        if any(fnmatchcase(name, anywhere) and name.count("/") == anywhere.count("/") for name in names):
            kept = pattern.startswith("!")
    return kept


def compose(path: str = "docker-compose.yml") -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / path).read_text("utf-8")))


def default_of(text: str) -> str:
    """`${NAME:-default}` as it stands where NAME is not set."""
    return re.sub(r"\$\{\w+:?-([^}]*)\}", r"\1", text)


def mounts(service: dict[str, Any]) -> dict[str, str]:
    """Path in the container → path or volume on the host."""
    pairs = (default_of(volume).split(":")[:2] for volume in service.get("volumes", []))
    return {inside: outside for outside, inside in pairs}
