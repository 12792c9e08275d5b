"""Bodies as the Open Inference Protocol v2 names them."""

from pydantic import BaseModel

from service.api.schemas.common import example


class ServerMetadata(BaseModel):
    model_config = example(name="promise", version="0.1.0", extensions=[])

    name: str
    version: str
    extensions: list[str]


class Live(BaseModel):
    model_config = example(live=True)

    live: bool


class Ready(BaseModel):
    model_config = example(ready=True)

    ready: bool


class ModelReady(BaseModel):
    model_config = example(name="beauty", ready=True)

    name: str
    ready: bool


class Tensor(BaseModel):
    """One input or output: -1 in the shape is any length."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(BaseModel):
    """A bundle being served. Inference itself is POST /recommend, not a tensor call."""

    model_config = example(
        name="beauty",
        versions=["1.0.0"],
        platform="onnxruntime_onnx",
        inputs=[{"name": "history", "datatype": "BYTES", "shape": [-1]}],
        outputs=[
            {"name": "item_id", "datatype": "BYTES", "shape": [-1]},
            {"name": "score", "datatype": "FP32", "shape": [-1]},
        ],
    )

    name: str
    versions: list[str]
    platform: str
    inputs: list[Tensor]
    outputs: list[Tensor]


class InferenceError(BaseModel):
    """How errors look under /v2."""

    model_config = example(error="No such model, or no such version of it, is being served.")

    error: str
