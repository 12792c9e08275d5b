"""python -m models.world: make a synthetic world, train on it, write its bundle, report what the search keeps."""

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

from models import export
from models.training import use_threads
from models.world import report
from models.world.build import WorldRun, build, world_recipe
from models.world.data import make_dataset
from models.world.items import WorldRecipe


def main(arguments: list[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    use_threads(options.threads)
    start = time.monotonic()

    def log(line: str) -> None:
        sys.stderr.write(f"{time.monotonic() - start:7.0f} s  {line}\n")
        sys.stderr.flush()

    world = replace(WorldRecipe(), items=options.items, users=options.users, seed=options.seed)
    folder = options.out or Path("runs") / f"world-{options.items}"
    recipe = world_recipe(options.items).with_training(seed=options.seed)
    recipe = recipe.with_training(epochs=options.epochs or recipe.training.epochs)
    log(f"a world of {world.items} items and {world.users} users")
    dataset = make_dataset(world)
    bundle = build(WorldRun(world, recipe, folder, "1.0.0", log), dataset)
    log(f"trained: {bundle}; judging {options.judged} users")
    rows = report.judge(bundle, dataset, options.judged)
    export.amend(bundle, metrics=report.metrics(rows))
    (folder / "report.json").write_text(report.as_json(rows))
    sys.stdout.write((report.as_json(rows) if options.json else "\n".join(report.lines(rows))) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models.world", description=__doc__)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, default=240_000)
    parser.add_argument("--epochs", type=int, default=0, help="eighths of the users to train on; 0 = the recipe's")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--judged", type=int, default=report.USERS, help="users of the report")
    parser.add_argument("--out", type=Path, default=None, help="run folder; default runs/world-<items>")
    parser.add_argument("--json", action="store_true", help="standard output holds one JSON document")
    return parser


if __name__ == "__main__":
    main()
