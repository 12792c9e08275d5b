"""What ships, as CycloneDX: `.venv/bin/python tests/image/sbom.py build/sbom`, or `make sbom`; one file for each image.

Made from the locks and the bundles whenever it is asked for: a committed copy could only fall behind them.
"""

import hashlib
import importlib.metadata
import json
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ROOT / "service" / "locks"
BUNDLES = ROOT / "models" / "bundles"
IMAGES = {"service": ("base",), "gpu": ("base", "gpu"), "ray": ("base", "ray"), "loadtest": ("base", "loadtest")}
MODEL = ".onnx"
VERSION = SchemaVersion.V1_5  # the first that knows models
Bom = dict[str, Any]


def bill(image: str) -> Bom:
    """Every pinned package with its hash, every file of the shipped bundles, and ourselves as what is made of them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    ours = {"type": "application", "bom-ref": "promise", "name": project["name"], "version": project["version"]}
    components = [*_packages(image), *_files()]
    rest = [{"ref": one["bom-ref"]} for one in components]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": VERSION.to_version(),
        "version": 1,
        "metadata": {"component": ours | {"description": project["description"]}},
        "components": components,
        "dependencies": [{"ref": "promise", "dependsOn": sorted(each["ref"] for each in rest)}, *rest],
    }


def _packages(image: str) -> Iterator[Bom]:
    lines = [line for name in IMAGES[image] for line in (LOCKS / f"{name}.txt").read_text("utf-8").splitlines()[1:]]
    for line in lines:
        pin, _, digest = line.partition(" --hash=sha256:")
        name, _, version = pin.partition("==")
        purl = f"pkg:pypi/{name}@{version}"
        component: Bom = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
        component |= {"hashes": [{"alg": "SHA-256", "content": digest}]}
        licence = _licence(name, version)
        yield component | ({"licenses": [{"license": {"name": licence}}]} if licence else {})


def _licence(name: str, version: str) -> str:
    """As the package itself says it, where this very version is installed here; empty elsewhere."""
    try:
        told = importlib.metadata.metadata(name).json
    except importlib.metadata.PackageNotFoundError:
        return ""
    kinds = [one.rpartition(" :: ")[2] for one in told.get("classifier", ()) if one.startswith("License")]
    said = (told.get("license_expression"), ", ".join(kinds), told.get("license"))
    return next((str(one)[:200] for one in said if one), "") if told["version"] == version else ""


def _files() -> Iterator[Bom]:
    for path in sorted(BUNDLES.rglob("*")):
        if path.is_file():
            name = path.relative_to(BUNDLES).as_posix()
            kind = "machine-learning-model" if path.suffix == MODEL else "file"
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            hashes = [{"alg": "SHA-256", "content": digest}]
            yield {"type": kind, "bom-ref": f"bundle:{name}", "name": name, "hashes": hashes}


def mistakes(text: str) -> str:
    """What the schema of its version would refuse; empty if nothing."""
    error = JsonStrictValidator(VERSION).validate_str(text)
    return "" if error is None else str(error.data.message)


def main(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    for image in IMAGES:
        bom = bill(image)
        text = json.dumps(bom, indent=1, sort_keys=True)
        if said := mistakes(text):
            sys.stderr.write(f"{image}: not CycloneDX: {said}\n")
            return 1
        (folder / f"{image}.cdx.json").write_text(f"{text}\n", "utf-8")
        sys.stdout.write(f"{folder / image}.cdx.json: {len(bom['components'])} components\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(*sys.argv[1:2] or ("build/sbom",))))
