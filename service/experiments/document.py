"""The text of experiments.yaml: strict YAML, each field's type and bounds; errors name experiment, bucket, field."""

import difflib
from collections.abc import Hashable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from service import config_file
from service.errors import ExperimentsError

MAX_LIST = 32  # experiments in a file, buckets in an experiment: all of them travel in every feedback token

Name = Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Value = Annotated[str, Field(min_length=1, max_length=256)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Coefficient = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Fields(BaseModel):
    """Frozen, nothing converted, unknown fields are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class RuleFields(_Fields):
    """`rule` of a bucket: the scoring weights for items and for prefixes."""

    leaf: Coefficient
    prefix: Coefficient


class BucketFields(_Fields):
    """One entry of `buckets`."""

    name: Name
    weight: Share
    tier: Value | None = None
    lowest: Value | None = None
    highest: Value | None = None
    rule: RuleFields | None = None
    bundle: Value | None = None
    strategy: Value | None = None


class ExperimentFields(_Fields):
    """One entry of `experiments`."""

    name: Name
    seed: Value | None = None
    unit: Literal["user_id"] = "user_id"
    coverage: Share = 1.0
    layer: Name | None = None
    range: Annotated[list[Share], Field(min_length=2, max_length=2)] | None = None
    buckets: Annotated[list[BucketFields], Field(min_length=2, max_length=MAX_LIST)]


class Document(_Fields):
    """The whole file."""

    experiments: Annotated[list[ExperimentFields], Field(max_length=MAX_LIST)]


def read(text: str) -> Document:
    """The fields of an experiments file; what they say together is checked by `service.experiments.config`.

    Raises:
        ExperimentsError: not YAML, an unknown or missing field, a value of the wrong type or out of bounds.
    """
    data = config_file.parse(text.encode("utf-8", "surrogatepass"), ExperimentsError)
    if not isinstance(data, dict):
        raise ExperimentsError("The file must hold a list named experiments.")
    try:
        return Document.model_validate(data)
    except ValidationError as error:
        raise ExperimentsError(_sentence(error.errors(include_url=False)[0], data)) from None


def _sentence(error: ErrorDetails, data: Mapping[Hashable, Any]) -> str:
    place, field = _place(error["loc"], data)
    if error["type"] == "extra_forbidden":
        return f"{place} has an unknown field {field!r}{_hint(error['loc'])}."
    if error["type"] == "missing":
        return f"{place} lacks the field {field!r}."
    return f"{place}, field {field!r}: {error['msg'][:1].lower()}{error['msg'][1:]}."


def _place(loc: tuple[int | str, ...], data: Any) -> tuple[str, str]:
    """Where an error is, by names as far as there are any, and the field that is wrong."""
    words = []
    for kind, key in (("experiment", "experiments"), ("bucket", "buckets")):
        if len(loc) < 2 or loc[0] != key or not isinstance(loc[1], int):
            break
        data = data[key][loc[1]]
        name = data.get("name") if isinstance(data, dict) else None
        words.append(f"{kind} {name!r}" if isinstance(name, str) else f"{kind} number {loc[1] + 1}")
        loc = loc[2:]
    place = ", ".join(words) or "the file"
    return place[0].upper() + place[1:], ".".join(map(str, loc)) or "all of it"


def _hint(loc: tuple[int | str, ...]) -> str:
    kinds: dict[int, type[BaseModel]] = {1: Document, 3: ExperimentFields, 5: BucketFields}
    fields = kinds.get(len(loc), RuleFields).model_fields
    near = difflib.get_close_matches(str(loc[-1])[:64], fields, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(fields)}"
