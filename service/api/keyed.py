"""The door for callers: an API key where the service has a file of them, looked at before a body is read."""

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.callers import Caller, Mode
from service.api.context import RequestContext, context_of
from service.api.live_keys import LiveKeys
from service.api.problems import problem
from service.api.schemas.recommend import RecommendRequest
from service.api.state import State
from service.api.tracing import PROBES
from service.errors import KeyNeededError, OverrideError, QuotaError, RequestError

PAGES = ("/", "/status", "/docs", "/openapi.json")
OPEN = frozenset((*PROBES, *PAGES))
OPEN_BELOW = ("/web/", "/admin/")  # files of the pages; routes that want the admin token
ASKING = "/recommend"
HOW = "send the header X-API-Key, or Authorization: Bearer with the key."


class Keyed:
    """Refuses callers without a key, over their quota, or with a bucket header that is not theirs to send.

    Open are probes, figures, pages and, behind their own token, the routes for operators. Without `keys` everybody may
    ask, and only overrides are looked at.
    """

    def __init__(self, app: ASGIApp, state: State, keys: LiveKeys | None, overrides: Mode) -> None:
        self.app, self.state = app, state
        self._keys, self._overrides = keys, overrides
        self._bucket = state.ab_header.lower().encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_open(scope["path"]):
            await self.app(scope, receive, send)
            return
        context = context_of(scope)
        try:
            self._admit(context, scope["method"] == "POST" and scope["path"].startswith(ASKING))
        except RequestError as error:
            await problem(Request(scope), error)(scope, receive, _counted(context.caller, send))
            return
        await self.app(scope, receive, _counted(context.caller, send))

    def _admit(self, context: RequestContext, asks: bool) -> None:
        if self._keys is not None:
            context.caller = self._caller(self._keys, context)
            context.log["key"] = context.caller.key.name
            spend(context.caller, self.state)
        allowed = context.caller is not None and context.caller.key.may_override
        context.may_override = self._overrides == "everyone" or (self._overrides == "keys" and allowed)
        if asks and not context.may_override and self._bucket in context.headers:
            raise forbidden(f"header {self.state.ab_header}", self.state)

    def _caller(self, keys: LiveKeys, context: RequestContext) -> Caller:
        given = given_key(context)
        found = keys.find(given) if given else None
        if found is None:
            self.state.meter.denied("unknown_key" if given else "no_key")
            why = "This API key is not known here" if given else "This service answers callers with an API key"
            raise KeyNeededError(f"{why}; {HOW}")
        return found


def is_open(path: str) -> bool:
    """Whether a path is answered without a key."""
    return path in OPEN or path.startswith(OPEN_BELOW)


def _counted(caller: Caller | None, send: Send) -> Send:
    """Tells a caller that has a quota what is left of it."""
    if caller is None or not caller.limited:
        return send

    async def counted(message: Message) -> None:
        if message["type"] == "http.response.start":
            left = [(name.lower().encode(), value.encode()) for name, value in caller.headers().items()]
            message["headers"] = [*message["headers"], *left]
        await send(message)

    return counted


def given_key(context: RequestContext) -> bytes:
    """What came as a key: X-API-Key before Authorization, which a proxy may need for itself; of two the first."""
    own = context.headers.get(b"x-api-key")
    if own is not None:
        return own.strip()
    scheme, _, given = context.headers.get(b"authorization", b"").partition(b" ")
    return given.strip() if scheme.lower() == b"bearer" else b""


def spend(caller: Caller, state: State) -> None:
    """Count one request of the caller's.

    Raises:
        QuotaError: it is one too many.
    """
    try:
        caller.spend()
    except QuotaError:
        state.meter.denied("quota")
        raise


def permit(body: RecommendRequest, context: RequestContext, state: State) -> None:
    """What the body chooses, looked at again for every entry of a batch; so is the quota.

    Raises:
        QuotaError: an entry of a batch that is one request too many.
        OverrideError: tier, strategy or explain from a caller that may not choose them.
    """
    if context.owes and context.caller is not None:
        spend(context.caller, state)
    if not context.may_override:
        chosen = {"budget": body.tier is not None, "strategy": body.strategy is not None, "explain": body.explain}
        for name, is_chosen in chosen.items():
            if is_chosen:
                raise forbidden(name, state)


def forbidden(what: str, state: State) -> OverrideError:
    """A choice that this caller may not make; refused and not passed over, so that nobody believes it was made."""
    state.meter.denied("override")
    return OverrideError(f"{what}: this caller may not choose it; leave it out.")
