"""What happened out there: POST /events, DELETE /users/{user_id}, POST /feedback."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from starlette.convertors import Convertor, register_url_convertor

from service.api import described
from service.api.context import DEFAULT_BUCKET
from service.api.dependencies import StateOf, json_body
from service.api.schemas.common import LONGEST_ID
from service.api.schemas.events import EventsRequest, EventsResponse, FeedbackRequest, FeedbackResponse
from service.api.state import State
from service.errors import InvalidTokenError
from service.experiments.tokens import Token
from service.histories.protocol import Event

router = APIRouter(tags=["events"])


class _Anything(Convertor[str]):
    """A path with whatever is in it; the framework's own stops at a line feed, and then nobody could be forgotten."""

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("anything", _Anything())  # before the first route that names it
OTHER_BUCKET = "other"  # of a token from a replica with other experiments, or from before they changed


@router.post(
    "/events",
    dependencies=[Depends(json_body)],
    responses=described.problems(*described.BODY, *described.CALLER, described.STORE),
    summary="Append interactions to stored histories",
)
async def events(body: EventsRequest, state: StateOf) -> EventsResponse:
    """With `user_id` and no `history`, POST /recommend uses what was appended. Sending events again is safe."""
    now = state.clock()
    appended = await state.histories.append(
        [Event(one.user_id, one.item_id, now if one.timestamp is None else one.timestamp) for one in body.events]
    )
    return EventsResponse(accepted=appended.accepted, duplicates=appended.duplicates)


@router.delete(
    "/users/{user_id:anything}",
    status_code=204,
    responses=described.problems(described.INVALID, *described.CALLER, described.STORE),
    summary="Forget a user",
)
async def forget(
    user_id: Annotated[str, Path(min_length=1, max_length=LONGEST_ID, examples=["u-1"])], state: StateOf
) -> None:
    """The history goes, and every event of experiments under the user's digest. Doing it twice is no error."""
    await state.forgetting.forget(user_id)


@router.post(
    "/feedback",
    status_code=202,
    dependencies=[Depends(json_body)],
    responses=described.problems(
        *described.BODY, *described.CALLER, (InvalidTokenError, "The token was not signed here, or is too old")
    ),
    summary="Say what became of a recommended item",
)
async def feedback(body: FeedbackRequest, state: StateOf) -> FeedbackResponse:
    """The token credits the experiment buckets and the tier of its response; each event counts once an item."""
    token = state.tokens.read(body.feedback_token)
    counted = await state.feedback.record(token, body.item_id, body.event)
    if counted:
        state.meter.feedback(_label(token, state), body.event)
    return FeedbackResponse(counted=counted)


def _label(token: Token, state: State) -> str:
    """The bucket of the primary experiment; only names that are configured here become labels."""
    experiments = state.experiments.current.experiments
    if not experiments:
        return OTHER_BUCKET if token.assignments else DEFAULT_BUCKET
    primary = experiments[0]
    found = next((bucket for name, bucket, _ in token.assignments if name == primary.name), DEFAULT_BUCKET)
    return found if found in (DEFAULT_BUCKET, *(bucket.name for bucket in primary.buckets)) else OTHER_BUCKET
