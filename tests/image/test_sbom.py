"""make sbom: valid CycloneDX, whole, with the hashes of the locks and of the bundles' manifests."""

import json

import pytest
from sbom import BUNDLES, IMAGES, LOCKS, Bom, bill, mistakes


@pytest.fixture(scope="module")
def bom() -> Bom:
    return bill("service")


def digest(component: Bom) -> str:
    [only] = component["hashes"]
    assert only["alg"] == "SHA-256"
    return str(only["content"])


def test_it_is_of_its_schema(bom: Bom) -> None:
    assert mistakes(json.dumps(bom)) == ""
    planted = [*bom["components"], {"type": "weights", "name": "x"}]
    assert "weights" in mistakes(json.dumps(bom | {"components": planted}))


def test_it_names_every_pinned_package_by_its_hash(bom: Bom) -> None:
    lines = (LOCKS / "base.txt").read_text("utf-8").splitlines()[1:]
    pinned = {line.partition(" ")[0]: line.rpartition(":")[2] for line in lines}
    libraries = [one for one in bom["components"] if one["type"] == "library"]
    assert {f"{one['name']}=={one['version']}": digest(one) for one in libraries} == pinned
    assert all(one["purl"].startswith(f"pkg:pypi/{one['name']}@") for one in libraries)
    assert sum("licenses" in one for one in libraries) > len(libraries) // 2


def test_it_names_every_file_of_a_bundle_by_the_manifest_s_hash(bom: Bom) -> None:
    told = {one["name"]: digest(one) for one in bom["components"] if one["bom-ref"].startswith("bundle:")}
    manifests = list(BUNDLES.glob("*/manifest.json"))
    assert manifests
    for path in manifests:
        for name, wanted in json.loads(path.read_text("utf-8"))["files"].items():
            assert told[f"{path.parent.name}/{name}"] == wanted
    kinds = {one["type"] for one in bom["components"] if one["name"].endswith(".onnx")}
    assert kinds == {"machine-learning-model"}


def test_there_is_one_for_every_image() -> None:
    assert all((LOCKS / f"{name}.txt").is_file() for names in IMAGES.values() for name in names)
