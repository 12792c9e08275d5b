"""Search strategies over HTTP: by request and by bucket, unknown names refused, counted under a closed label."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_service import Client, made_model, made_runtime
from made import made_catalogue

from service.engine.fake import FakeEngine
from service.errors import StartError
from service.search.strategies.shelf import BEAM, GUIDED, STRATEGIES, VOTING
from service.search.trie import build

CATALOGUE = made_catalogue()
TRIE = build(CATALOGUE.sids)
HISTORY = list(CATALOGUE.ids[:6])
SHARE = 1 / len(STRATEGIES)
BUCKETS = "\n".join(f"      - {{name: by-{x}, weight: {SHARE:.9f}, strategy: {x}}}" for x in STRATEGIES)
EXPERIMENTS = f"experiments:\n  - name: search\n    buckets:\n{BUCKETS}\n"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    file = tmp_path_factory.mktemp("strategies") / "experiments.yaml"
    file.write_text(EXPERIMENTS)
    with Client(made_runtime(made_model(CATALOGUE, FakeEngine(TRIE, pool=30)), experiments=file)) as client:
        yield client


def counted(client: Client, bucket: str, strategy: str) -> float:
    line = rf'promise_strategy_total{{bucket="{bucket}",strategy="{strategy}"}} (\S+)'
    found = re.search(line, client.figures())
    return float(found[1]) if found else 0.0


@pytest.mark.parametrize("budget", ["k10", "k50", "auto"])
@pytest.mark.parametrize("name", STRATEGIES)
def test_a_request_chooses(client: Client, name: str, budget: str) -> None:
    before = counted(client, "default", name)
    answer = client.recommend(history=HISTORY, budget=budget, strategy=name, k=7, explain=True)
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    ids = [item["item_id"] for item in shown["items"]]
    assert len(set(ids)) == 7
    assert not set(ids) & set(HISTORY)
    ran = BEAM if shown["budget"]["tier"] == "floor" else name
    assert shown["budget"]["strategy"] == ran
    assert counted(client, "default", ran) >= before + (ran == name)
    assert len(shown["search"]["levels"]) == TRIE.depth
    assert [item["score"] for item in shown["items"]] == sorted((x["score"] for x in shown["items"]), reverse=True)


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_bucket_chooses_and_the_metrics_say_so(client: Client, name: str) -> None:
    before = counted(client, f"by-{name}", name)
    answer = client.recommend(headers={"X-AB-Bucket": f"by-{name}"}, history=HISTORY, budget="k20")
    assert answer.json()["budget"]["strategy"] == name
    assert counted(client, f"by-{name}", name) == before + 1
    own = client.recommend(headers={"X-AB-Bucket": f"by-{name}"}, history=HISTORY, budget="k20", strategy=GUIDED)
    assert own.json()["budget"]["strategy"] == GUIDED


def test_all_of_them_in_one_batch_answer_as_alone(client: Client) -> None:
    bodies = [{"history": HISTORY, "budget": "k20", "strategy": name, "k": 5} for name in STRATEGIES]
    together = client.call("POST", "/recommend/batch", json=bodies).json()
    for body, one in zip(bodies, together, strict=True):
        alone = client.call("POST", "/recommend", json=body).json()
        assert one["response"]["items"] == alone["items"]
        assert one["response"]["budget"] == alone["budget"]


@pytest.mark.parametrize("name", ["greedy", "GUIDED", "none", "k50"])
@pytest.mark.parametrize("history", [HISTORY, []])
def test_an_unknown_name_is_a_problem(client: Client, name: str, history: list[str]) -> None:
    answer = client.recommend(history=history, strategy=name)
    assert answer.status_code == 400
    assert answer.json()["type"].endswith("unknown-strategy")
    assert "guided" in answer.json()["detail"]


def test_no_search_is_no_strategy(client: Client) -> None:
    assert client.recommend(history=HISTORY, budget="exact").json()["budget"]["strategy"] == "none"
    assert client.recommend(history=[]).json()["budget"]["strategy"] == "none"
    beside = client.recommend(headers={"X-AB-Bucket": "by-beam"}, history=HISTORY, budget="exact")
    assert beside.json()["source"] == "exact"


def test_a_deployment_chooses_what_nobody_else_did() -> None:
    with Client(made_runtime(made_model(CATALOGUE, FakeEngine(TRIE)), default_strategy="refine")) as client:
        bodies: list[dict[str, str]] = [{"budget": "k20"}, {"budget": "k20", "strategy": "smc"}, {"budget": "exact"}]
        answers = [client.call("POST", "/recommend", json={"history": HISTORY} | body) for body in bodies]
    assert [answer.json()["budget"]["strategy"] for answer in answers] == ["refine", "smc", "none"]
    with pytest.raises(StartError, match="PROMISE_DEFAULT_STRATEGY"):
        made_runtime(made_model(CATALOGUE, FakeEngine(TRIE, voters=0)), default_strategy="optimistic")


@pytest.mark.parametrize("pool", [0, 5])
def test_a_catalogue_of_one_code_has_nothing_to_go_back_to(pool: int) -> None:
    flat = made_catalogue(items=60, depth=1, codes=64)
    with Client(made_runtime(made_model(flat, FakeEngine(build(flat.sids), pool=pool)))) as client:
        for name in STRATEGIES:
            answer = client.recommend(history=list(flat.ids[:3]), strategy=name, budget="k10", k=5, explain=True)
            assert answer.status_code == 200, answer.text
            assert len(answer.json()["items"]) == 5


def test_without_votes_some_are_refused(tmp_path: Path) -> None:
    with Client(made_runtime(made_model(CATALOGUE, FakeEngine(TRIE, voters=0)))) as bare:
        for name in STRATEGIES:
            status = bare.recommend(history=HISTORY, strategy=name).status_code
            assert status == (400 if name in VOTING else 200)
    file = tmp_path / "experiments.yaml"
    file.write_text(EXPERIMENTS)
    with pytest.raises(StartError, match="there is no strategy"):
        made_runtime(made_model(CATALOGUE, FakeEngine(TRIE, voters=0)), experiments=file)
