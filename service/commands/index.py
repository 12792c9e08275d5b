"""What `promise --help` lists. A command's module is imported when the command runs, so help comes at once."""

from importlib import import_module
from types import MappingProxyType
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

SERVING, TRAINING, JUDGING = "Serve", "Data to bundle", "Measure and judge"


class Entry(NamedTuple):
    """Where a command lives (a module beside this one), its panel, and its sentence in the list."""

    module: str
    panel: str
    help: str


INDEX = MappingProxyType(
    {
        "serve": Entry("serve", SERVING, "Serve a bundle over HTTP until Ctrl-C or SIGTERM."),
        "doctor": Entry("doctor", SERVING, "Check that this machine can serve: packages, bundle, device, Redis, port."),
        "bundle": Entry("bundle", SERVING, "Verify a bundle, describe it, give it titles."),
        "experiments": Entry("experiments", SERVING, "Check an experiments file, or report on an experiment."),
        "keys": Entry("keys", SERVING, "Make an API key, or check the file that lists them."),
        "data": Entry("data", TRAINING, "Fetch, check or describe a dataset."),
        "train": Entry("train", TRAINING, "Train a dataset into a bundle; a second call goes on where one was cut."),
        "export": Entry("export", TRAINING, "Copy a bundle out of a run to where it is served from."),
        "audit": Entry("export", TRAINING, "Prove from the data that a bundle never saw the held-out items."),
        "tokenize": Entry("train", TRAINING, "Compare the semantic IDs that each source of vectors gives."),
        "evaluate": Entry("evaluate", JUDGING, "Judge bundles on their held-out test items, against baselines."),
        "report": Entry("report", JUDGING, "Tables and plots of what was measured."),
        "seeds": Entry("seeds", JUDGING, "One recipe over several training seeds, paired by user."),
        "study": Entry("study", JUDGING, "Compare ideas about training with each other, an arm each."),
        "budget": Entry("budget", JUDGING, "Measure tiers, choose what `auto` may spend, report what it is worth."),
        "bench": Entry("bench", JUDGING, "Load tests, and benchmarks against peers in one run."),
    }
)


class LazyGroup(TyperGroup):
    """A group that knows its commands by name and sentence, and loads the one that runs."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        for name, entry in INDEX.items():
            self.add_command(TyperCommand(name, help=entry.help, rich_help_panel=entry.panel))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, listed, rest = super().resolve_command(ctx, args)
        return name, load(name) if name and listed else listed, rest


def load(name: str) -> Any:
    """The command of this name, with its options or its own commands."""
    found = typer.main.get_command(import_module(f"service.commands.{INDEX[name].module}").app)
    return getattr(found, "commands", {}).get(name, found)
