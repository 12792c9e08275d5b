"""Faults of the engine: too little memory, requests that break a graph or end the process, bundles that are wrong."""

import asyncio
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import uvloop

from loadtest import workload
from loadtest.bench import closed_loop
from loadtest.bench.outages.bundles import TABLE, WRONG, variant
from loadtest.bench.outages.policy import Replicas
from loadtest.bench.outages.stage import Stage, detail, reload
from loadtest.client import ClientError

SPARE_BYTES = 2 << 20  # of address space, for batches and all else
HEAVY = 32  # requests for a thousand items at once: as many as a batch takes
POISONED = 8
HALVED = "failed and is run again in halves"  # as service.engine.batcher says it


def too_little_memory(stage: Stage) -> None:
    """Each replica gets little more than it has, and one of them requests that want far more than that."""
    for replica in stage.replicas:
        replica.limit_memory(SPARE_BYTES)
    history = workload.read_items(stage.bundle).ids[:40].tolist()
    heavy = [workload.recommend(history, k=1000, budget="k1000")] * HEAVY
    statuses = Counter(shot.status for shot in closed_loop.run(stage.replicas[0].url, heavy, HEAVY, timeout_s=8))
    stage.said.append("heavy requests: " + _counted(statuses))
    stage.expect(not set(statuses) - {200, 503}, f"requests too large for the memory got {_counted(statuses)}")
    halved = stage.replicas[0].log.read_text("utf-8", "replace").count(HALVED)
    stage.said.append(f"{halved} batches run again in halves")
    stage.expect(halved > 0, "memory was never short")


def enough_memory(stage: Stage) -> None:
    for replica in stage.replicas:
        replica.free_memory()


def poison_batches(stage: Stage) -> None:
    """Requests whose history a graph cannot bear, in company: they alone fail."""
    for replica in stage.replicas:
        shots = closed_loop.run(replica.url, [poison(stage)] * POISONED, POISONED)
        statuses = Counter(shot.status for shot in shots)
        stage.said.append(f"poisoned: {_counted(statuses)}")
        stage.expect(set(statuses) == {500}, f"poisoned requests got {_counted(statuses)}")


def poison(stage: Stage) -> bytes:
    ids = workload.read_items(stage.bundle).ids
    return workload.recommend([str(ids[0]), str(ids[-1])], k=10, budget="k10")


def deadly_request(stage: Stage) -> None:
    """A request that ends every process that looks at it, sent once by a caller with the retry policy."""
    table = stage.bundle / TABLE
    whole = table.read_bytes()
    os.truncate(table, 4096)
    try:
        said = uvloop.run(_sent(stage.urls, poison(stage)))
    finally:
        table.write_bytes(whole)  # or no process could start on this bundle again
    stage.said.append(f"the caller got: {said}")


def deaths(stage: Stage) -> None:
    """As many processes as the policy sends a request to, and no more."""
    stage.expect(stage.supervisor.wait(), "a replica does not come back")
    started = sum(replica.starts - 1 for replica in stage.replicas)
    stage.said.append(f"{started} processes ended")
    stage.expect(1 <= started <= 2, f"one request ended {started} processes")


def wrong_bundles(stage: Stage) -> None:
    """Every kind of wrong bundle is refused with a sentence, and what serves stays."""
    replica = stage.living
    for kind in WRONG:
        reply = reload(stage, replica, variant(kind, stage.bundle, stage.bundle.parent))
        said = detail(reply)
        stage.expect(reply.status == 422 and _about(said, kind), f"{kind}: {reply.status}, {said}")
    stage.said.append(f"{len(WRONG)} kinds of wrong bundles refused")


def bundle_cut_short(stage: Stage) -> None:
    """A new bundle whose copy ended where the disk was full."""
    reply = reload(stage, stage.living, _cut(stage.bundle, stage.bundle.parent / f"{stage.bundle.name}-cut"))
    held = reply.status == 422 and "damaged" in detail(reply)
    stage.expect(held, f"a bundle cut short: {reply.status}, {detail(reply)}")


def _about(sentence: str, kind: str) -> bool:
    return sentence.endswith(".") and "\n" not in sentence and f"bundle-{kind}" in sentence


def _cut(bundle: Path, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for file in bundle.iterdir():
        data = file.read_bytes()
        (folder / file.name).write_bytes(data if file.suffix == ".json" else data[: len(data) // 2])
    return folder


async def _sent(urls: Sequence[str], request: bytes) -> str:
    client = Replicas(urls)
    try:
        return f"status {(await client.send(request)).status}"
    except ClientError as error:
        return str(error)
    finally:
        client.close()
        await asyncio.sleep(0)


def _counted(statuses: "Counter[int]") -> str:
    return ", ".join(f"{count} x {status or 'no reply'}" for status, count in sorted(statuses.items()))
