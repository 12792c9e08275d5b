"""What `promise --help` lists. A command's module is imported when the command runs, so help comes at once."""

from importlib import import_module
from types import MappingProxyType
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

SERVING, TRAINING, JUDGING = "Serve", "Data to bundle", "Measure and judge"


class Room(NamedTuple):
    """Where a command lives (a module beside this one), its panel, and its sentence in the list."""

    module: str
    panel: str
    help: str


ROOMS = MappingProxyType(
    {
        "serve": Room("serving", SERVING, "Serve a bundle over HTTP until Ctrl-C or SIGTERM."),
        "doctor": Room("doctor", SERVING, "Check that this machine can serve: packages, bundle, device, Redis, port."),
        "bundle": Room("bundle", SERVING, "Verify a bundle, describe it, give it titles."),
        "experiments": Room("experiments", SERVING, "Check an experiments file, or report on an experiment."),
        "data": Room("data", TRAINING, "Fetch, check or describe a dataset."),
        "train": Room("training", TRAINING, "Train a dataset into a bundle; a second call goes on where one was cut."),
        "export": Room("exporting", TRAINING, "Copy a bundle out of a run to where it is served from."),
        "audit": Room("exporting", TRAINING, "Prove from the data that a bundle never saw the held-out items."),
        "tokenize": Room("training", TRAINING, "Compare the semantic IDs that each source of vectors gives."),
        "evaluate": Room("evaluating", JUDGING, "Judge bundles on their held-out test items, against baselines."),
        "report": Room("report", JUDGING, "Tables and plots of what was measured."),
        "seeds": Room("seeds", JUDGING, "One recipe over several training seeds, paired by user."),
        "study": Room("study", JUDGING, "Compare ideas about training with each other, an arm each."),
        "budget": Room("budget", JUDGING, "Measure tiers, choose what `auto` may spend, report what it is worth."),
        "bench": Room("bench", JUDGING, "Load tests, and benchmarks against peers in one run."),
    }
)


class Rooms(TyperGroup):
    """A group that knows its commands by name and sentence, and loads the one that runs."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        for name, room in ROOMS.items():
            self.add_command(TyperCommand(name, help=room.help, rich_help_panel=room.panel))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, listed, rest = super().resolve_command(ctx, args)
        return name, load(name) if name and listed else listed, rest


def load(name: str) -> Any:
    """The command of this name, with its options or its own commands."""
    found = typer.main.get_command(import_module(f"service.commands.{ROOMS[name].module}").app)
    return getattr(found, "commands", {}).get(name, found)
