"""What a caller may expect of an answer, and what became of a request; nothing of a load generator is known here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from loadtest.seconds import GOOD, SHED

Outcome = Literal["answered", "degraded", "late", "shed", "failed"]


@dataclass(frozen=True)
class Wanted:
    """One request as its caller remembers it. `stored`: the service knows the history; None: any tier, any bucket."""

    history: Sequence[str] = ()
    k: int = 10
    stored: bool = False
    tier: str | None = None
    bucket: str | None = None


def fault(answer: Any, wanted: Wanted) -> str | None:
    """What is wrong with the body of a 200; None when nothing is."""
    if not isinstance(answer, dict) or not isinstance(answer.get("items"), list):
        return "the body holds no list of items"
    try:
        items = [item["item_id"] for item in answer["items"]]
    except (TypeError, KeyError):
        return "an item has no id"
    if not items or len(items) > wanted.k:
        return f"{len(items)} items for k = {wanted.k}"
    if len(set(items)) < len(items):
        return "an item is repeated"
    if set(items) & set(wanted.history) and not _unread(answer, wanted):
        return "an item of the history came back"
    return _of_another_kind(answer, wanted)


def _unread(answer: Mapping[str, Any], wanted: Wanted) -> bool:
    """A stored history that could not be read in time: the answer says so, and cannot leave out what it holds."""
    return wanted.stored and bool(answer.get("degraded")) and not answer.get("history", {}).get("stored")


def _of_another_kind(answer: Mapping[str, Any], wanted: Wanted) -> str | None:
    tier, bucket = answer.get("budget", {}).get("tier"), answer.get("experiment", {}).get("bucket")
    searched = answer.get("source") != "popularity"  # which has no tier
    if wanted.tier is not None and searched and tier != wanted.tier:
        return f"tier {tier} where {wanted.tier} was asked for"
    if wanted.bucket is not None and bucket != wanted.bucket:
        return f"bucket {bucket} where the header said {wanted.bucket}"
    return None


def outcome(status: int, headers: Mapping[str, str], answer: Any, late: bool = False) -> Outcome:
    """What became of a request: a refusal must say when to come back, a cut answer that it was cut."""
    if status == SHED:
        return "shed" if any(name.lower() == "retry-after" for name in headers) else "failed"
    if status != GOOD:
        return "failed"
    if isinstance(answer, dict) and answer.get("degraded"):
        return "degraded"
    return "late" if late else "answered"
