"""Bundles whose hashes are right and whose graphs are wrong: copies of a bundle with its graphs rewritten."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from models.contract import ENCODER, MANIFEST, PRM
from models.manifest import sha256

TABLE = "poison.bin"
PAGES, PAGE = 256, 1024  # of int32
ENDLESS = 2**62


def variant(kind: str, bundle: Path, folder: Path) -> Path:
    """A copy of the bundle in `folder`, its graphs rewritten as this kind wants; no kind: the bundle itself."""
    if not kind:
        return bundle
    made = folder / f"bundle-{kind}"
    if not made.exists():
        shutil.copytree(bundle, made)
        KINDS[kind](made)
        _hash(made)
    return made


def poisoned_item(bundle: Path) -> int:
    """The row that poisoned bundles cannot bear in a history: the last one."""
    return int(json.loads((bundle / MANIFEST).read_text())["items"])


def _hash(folder: Path) -> None:
    """The manifest says again what the files are."""
    manifest = json.loads((folder / MANIFEST).read_text())
    names = {*manifest["files"], *(path.name for path in folder.glob(TABLE))}
    manifest["files"] = {name: sha256(folder / name) for name in sorted(names)}
    (folder / MANIFEST).write_text(json.dumps(manifest))


def _rewrite(file: Path, act: Callable[[Any, Any], None]) -> None:
    """`act(model, helper)` over the graph in this file."""
    import onnx  # the extra `train` brings it

    model = onnx.load(file)
    act(model, onnx.helper)
    onnx.save(model, file)


def _before(model: Any, name: str, nodes: list[Any], result: str) -> None:
    """Whoever read the input `name` reads `result` of these new nodes."""
    for node in model.graph.node:
        node.input[:] = [result if given == name else given for given in node.input]
    for node in reversed(nodes):
        model.graph.node.insert(0, node)


def _after(model: Any, name: str, make: Callable[[str], list[Any]]) -> None:
    """The output `name` is what these nodes make of the former one."""
    raw = f"{name}_before"
    for node in model.graph.node:
        node.output[:] = [raw if given == name else given for given in node.output]
        node.input[:] = [raw if given == name else given for given in node.input]
    model.graph.node.extend(make(raw))


def _constant(model: Any, name: str, array: Any) -> str:
    import onnx

    model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    return name


def _fails_on(limit: int) -> Callable[[Any, Any], None]:
    """An error of the graph wherever a history has a row of `limit` or above."""

    def act(model: Any, h: Any) -> None:
        rows = _constant(model, "known_rows", np.arange(limit, dtype=np.int32))
        _before(model, "items", [h.make_node("Gather", [rows, "items"], ["checked_items"])], "checked_items")

    return act


def _deadly(folder: Path) -> None:
    """A table beside the graph, of which only the poisoned item's page is read: once the file is cut, that kills."""
    poison = poisoned_item(folder)

    def act(model: Any, h: Any) -> None:
        import onnx

        table = onnx.numpy_helper.from_array(np.zeros(PAGES * PAGE, np.int32), "poison_table")
        onnx.external_data_helper.set_external_data(table, TABLE, 0, PAGES * PAGE * 4)
        (folder / TABLE).write_bytes(table.raw_data)
        table.ClearField("raw_data")
        table.data_location = onnx.TensorProto.EXTERNAL
        model.graph.initializer.append(table)
        bad, far, near = (
            _constant(model, name, np.array(value, kind))
            for name, value, kind in (
                ("bad", poison, np.int32),
                ("far", PAGES * PAGE - 8, np.int64),
                ("near", 0, np.int64),
            )
        )
        nodes = [
            h.make_node("Equal", ["items", bad], ["is_bad"]),
            h.make_node("Where", ["is_bad", far, near], ["place"]),
            h.make_node("Gather", ["poison_table", "place"], ["nothing"]),
            h.make_node("Add", ["items", "nothing"], ["same_items"]),
        ]
        for node in model.graph.node:
            node.input[:] = ["same_items" if given == "items" else given for given in node.input]
        for node in reversed(nodes):
            model.graph.node.insert(0, node)

    _rewrite(folder / ENCODER.file, act)


def _not_finite(model: Any, h: Any) -> None:
    bad = _constant(model, "bad", np.array(np.nan, np.float16))
    _after(model, "memory", lambda raw: [h.make_node("Mul", [raw, bad], ["memory"])])


def _not_finite_rewards(model: Any, h: Any) -> None:
    bad = _constant(model, "bad", np.array(np.nan, np.float32))
    _after(model, "reward", lambda raw: [h.make_node("Mul", [raw, bad], ["reward"])])


def _twice_as_long(model: Any, h: Any) -> None:
    _after(model, "memory", lambda raw: [h.make_node("Concat", [raw, raw], ["memory"], axis=1)])


def _of_the_future(model: Any, _h: Any) -> None:
    model.opset_import[0].version = 999


def _looping(turns: int) -> Callable[[Any, Any], None]:
    """So many products of 256 x 256 before the encoder begins."""

    def act(model: Any, h: Any) -> None:
        import onnx

        kind, square = onnx.TensorProto, [256, 256]
        value = h.make_tensor_value_info
        body = h.make_graph(
            [h.make_node("Identity", ["go"], ["on"]), h.make_node("MatMul", ["x", "x_weight"], ["y"])],
            "body",
            [value("turn", kind.INT64, []), value("go", kind.BOOL, []), value("x", kind.FLOAT, square)],
            [value("on", kind.BOOL, []), value("y", kind.FLOAT, square)],
        )
        count = _constant(model, "turns", np.array(turns, np.int64))
        yes = _constant(model, "yes", np.array(True))
        _constant(model, "x_weight", np.zeros((256, 256), np.float32))
        zero = _constant(model, "zero_square", np.zeros((256, 256), np.float32))
        axes = _constant(model, "both_axes", np.array([0, 1], np.int64))
        nodes = [
            h.make_node("ReduceMax", ["items"], ["largest"], keepdims=0),
            h.make_node("Cast", ["largest"], ["largest_float"], to=kind.FLOAT),
            h.make_node("Mul", [zero, "largest_float"], ["x_first"]),  # of the input, or it would be folded away
            h.make_node("Loop", [count, yes, "x_first"], ["x_last"], body=body),
            h.make_node("ReduceSum", ["x_last", axes], ["x_sum"], keepdims=0),
            h.make_node("Cast", ["x_sum"], ["nothing"], to=kind.INT32),
            h.make_node("Add", ["items", "nothing"], ["same_items"]),
        ]
        for node in model.graph.node:
            node.input[:] = ["same_items" if given == "items" else given for given in node.input]
        for node in reversed(nodes):
            model.graph.node.insert(0, node)

    return act


def _encoder(act: Callable[[Any, Any], None]) -> Callable[[Path], None]:
    return lambda folder: _rewrite(folder / ENCODER.file, act)


KINDS: Mapping[str, Callable[[Path], None]] = {
    "copy": lambda _folder: None,
    "poisoned": lambda folder: _rewrite(folder / ENCODER.file, _fails_on(poisoned_item(folder))),
    "deadly": _deadly,
    "not finite": _encoder(_not_finite),
    "rewards not finite": lambda folder: _rewrite(folder / PRM.file, _not_finite_rewards),
    "wrong shape": _encoder(_twice_as_long),
    "other opset": _encoder(_of_the_future),
    "fails": _encoder(_fails_on(1)),
    "too slow": _encoder(_looping(30_000)),
    "endless": _encoder(_looping(ENDLESS)),
}
WRONG = ("not finite", "rewards not finite", "wrong shape", "other opset", "fails", "too slow", "endless")
