"""What `kubectl kustomize` would print, for the part of kustomize that service/ops/kubernetes uses.

Names of generated ConfigMaps keep no digest here. Anything this reader does not know is an error, not left out.
"""

import copy
from pathlib import Path
from typing import Any

import yaml
from containers import ROOT

KUBERNETES = ROOT / "service" / "ops" / "kubernetes"
KNOWN = frozenset(
    [
        "apiVersion",
        "kind",
        "namespace",
        "labels",
        "resources",
        "images",
        "patches",
        "configMapGenerator",
        "configurations",
    ]
)
CLUSTER_WIDE = {"Namespace"}
Document = dict[str, Any]


def built(folder: str) -> list[Document]:
    """The objects of the kustomization in this folder, below service/ops/kubernetes."""
    return _built((KUBERNETES / folder).resolve())


def files(folder: Path) -> set[Path]:
    """Every file that this kustomization reads, itself included."""
    told = _read(folder)
    names = [*told.get("resources", []), *(one["path"] for one in told.get("patches", []) if "path" in one)]
    names += [name for made in told.get("configMapGenerator", []) for name in made.get("files", [])]
    paths = [(folder / name).resolve() for name in [*names, *told.get("configurations", [])]]
    inner = [found for path in paths if path.is_dir() for found in files(path)]
    return {folder / "kustomization.yaml", *(path for path in paths if not path.is_dir()), *inner}


def _built(folder: Path) -> list[Document]:
    told, found = _read(folder), list[Document]()
    for name in told.get("resources", []):
        path = (folder / name).resolve()
        found += _built(path) if path.is_dir() else parsed(path)
    found += [_config_map(folder, made) for made in told.get("configMapGenerator", [])]
    for patch in told.get("patches", []):
        found = _patched(found, folder, patch)
    for one in found:
        _finish(one, told)
    return found


def _read(folder: Path) -> Document:
    told = dict(yaml.safe_load((folder / "kustomization.yaml").read_text("utf-8")))
    assert set(told) <= KNOWN, f"{folder}: {set(told) - KNOWN}"
    return told


def parsed(path: Path) -> list[Document]:
    """All documents of a file; an anchor's copies are objects of their own."""
    return [copy.deepcopy(one) for one in yaml.safe_load_all(path.read_text("utf-8"))]


def _config_map(folder: Path, made: Document) -> Document:
    pairs = (literal.split("=", 1) for literal in made.get("literals", []))
    data = dict(pairs) | {name: (folder / name).read_text("utf-8") for name in made.get("files", [])}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": made["name"]}, "data": data}


def _patched(found: list[Document], folder: Path, patch: Document) -> list[Document]:
    body = parsed(folder / patch["path"])[0] if "path" in patch else yaml.safe_load(patch["patch"])
    target = patch.get("target") or {"kind": body["kind"], "name": body["metadata"]["name"]}
    meant = [one for one in found if (one["kind"], one["metadata"]["name"]) == (target["kind"], target["name"])]
    assert len(meant) == 1, f"{folder}: {target} is {len(meant)} objects"
    if body.get("$patch") == "delete":
        return [one for one in found if one is not meant[0]]
    return [_merged(one, body) if one is meant[0] else one for one in found]


def _merged(old: Any, new: Any) -> Any:
    """Strategic merge: fields one by one, lists of named things by name, other lists anew."""
    if isinstance(old, dict) and isinstance(new, dict):
        return old | {key: _merged(old.get(key), value) for key, value in new.items()}
    if isinstance(old, list) and all(isinstance(one, dict) and "name" in one for one in [*old, *new]):
        names = {one["name"]: one for one in old}
        later = {one["name"]: _merged(names.get(one["name"], {}), one) for one in new}
        return list((later | {name: later.get(name, one) for name, one in names.items()}).values())
    return new


def _finish(one: Document, told: Document) -> None:
    if "namespace" in told and one["kind"] not in CLUSTER_WIDE:
        one["metadata"]["namespace"] = told["namespace"]
    for pairs in told.get("labels", []):
        one["metadata"]["labels"] = one["metadata"].get("labels", {}) | pairs["pairs"]
    for spec in pod_specs(one):
        for container in spec["containers"]:
            for image in told.get("images", []):
                if container["image"].partition(":")[0] == image["name"]:
                    container["image"] = f"{image['name']}:{image['newTag']}"


def pod_specs(one: Document) -> list[Document]:
    """The specifications of the pods that this object makes."""
    return [template["spec"] for template in templates(one)]


def templates(one: Document) -> list[Document]:
    """The pod templates of this object."""
    if one["kind"] == "RayService":
        cluster = one["spec"]["rayClusterConfig"]
        return [group["template"] for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])]
    return [one["spec"]["template"]] if "template" in one.get("spec", {}) else []
