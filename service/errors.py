"""Every error the service knows, as one tree: the slug is the problem type, the metric label and the log event.

PromiseError
├── StartError                      before the first request: one sentence on stderr, exit code 2
│   ├── SettingsError               an unknown or invalid PROMISE_ variable
│   ├── ExperimentsError            experiments.yaml is malformed or contradicts itself
│   ├── KeysError                   the file of API keys is malformed or contradicts itself
│   ├── BundleError                 (service.engine.bundle) a missing, damaged or foreign bundle file
│   └── DeviceError                 (service.engine.sessions) CUDA was asked for and is absent
├── RequestError                    the caller's mistake: a 4xx problem (RFC 9457)
│   ├── MalformedBodyError      400     not JSON
│   ├── UnknownBucketError      400     an experiment bucket that is not configured
│   ├── UnknownTierError        400     a budget tier that this bundle does not offer
│   ├── UnknownStrategyError    400     a search strategy that this bundle does not offer
│   ├── UnknownFilterError      400     a category or brand that the catalogue does not have
│   ├── InvalidTokenError       400     a feedback token that was not signed here, or is too old
│   ├── UnauthorizedError       401     an admin route without the admin token
│   ├── KeyNeededError          401     no API key, or one that is not in the file
│   ├── AdminDisabledError      403     an admin route of a service that has no admin token
│   ├── OverrideError           403     a choice that this caller may not make: bucket, tier, strategy, explain
│   ├── NotFoundError           404
│   ├── MethodNotAllowedError   405
│   ├── ConflictError           409     a change that the present state forbids: nothing to roll back to, a taken SID
│   ├── TooSlowError            408     a request that did not arrive in time
│   ├── BodyTooLargeError       413
│   ├── UnsupportedMediaError   415
│   ├── InvalidRequestError     422     JSON of the wrong shape
│   └── QuotaError              429     an API key that asks more than its quota; carries Retry-After
├── UnavailableError            503     carries Retry-After
│   ├── OverloadedError                 more requests than can be answered in time
│   └── StoreUnavailableError           Redis cannot take what must not be lost (events, a deletion)
│       └── RemoteError                 (service.cache.remote) the same, told by the connection itself
└── CodecError                      a cached value that is not an encoding of this model
"""

from collections.abc import Mapping
from http import HTTPStatus


class PromiseError(Exception):
    """Base of all: `detail` is one sentence for a person; slug, title and HTTP status belong to the class."""

    slug = "internal-error"
    title = "Internal error"
    status = HTTPStatus.INTERNAL_SERVER_ERROR

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail

    @property
    def headers(self) -> Mapping[str, str]:
        """Response headers that belong to the error."""
        return {}


class StartError(PromiseError):
    slug = "start-failed"
    title = "The service cannot start"


class SettingsError(StartError):
    slug = "invalid-settings"
    title = "Invalid settings"


class ExperimentsError(StartError):
    slug = "bad-experiments"
    title = "The experiments file cannot be used"


class KeysError(StartError):
    slug = "bad-keys"
    title = "The file of API keys cannot be used"


class RequestError(PromiseError):
    slug = "bad-request"
    title = "Bad request"
    status = HTTPStatus.BAD_REQUEST


class MalformedBodyError(RequestError):
    slug = "malformed-body"
    title = "The body is not JSON"


class UnknownBucketError(RequestError):
    slug = "unknown-bucket"
    title = "Unknown experiment bucket"


class UnknownTierError(RequestError):
    slug = "unknown-tier"
    title = "Unknown budget tier"


class UnknownStrategyError(RequestError):
    slug = "unknown-strategy"
    title = "Unknown search strategy"


class UnknownFilterError(RequestError):
    slug = "unknown-filter"
    title = "Unknown category or brand"


class InvalidTokenError(RequestError):
    slug = "invalid-feedback-token"
    title = "The feedback token is not valid"


class UnauthorizedError(RequestError):
    slug = "unauthorized"
    title = "The admin token is needed"
    status = HTTPStatus.UNAUTHORIZED

    @property
    def headers(self) -> Mapping[str, str]:
        return {"WWW-Authenticate": "Bearer"}


class AdminDisabledError(RequestError):
    slug = "admin-disabled"
    title = "Administration is switched off"
    status = HTTPStatus.FORBIDDEN


class KeyNeededError(UnauthorizedError):
    slug = "api-key-needed"
    title = "An API key is needed"


class OverrideError(RequestError):
    slug = "override-not-allowed"
    title = "This choice is not the caller's"
    status = HTTPStatus.FORBIDDEN


class NotFoundError(RequestError):
    slug = "not-found"
    title = "There is nothing here"
    status = HTTPStatus.NOT_FOUND


class MethodNotAllowedError(RequestError):
    slug = "method-not-allowed"
    title = "This route has no such method"
    status = HTTPStatus.METHOD_NOT_ALLOWED


class ConflictError(RequestError):
    slug = "conflict"
    title = "The present state forbids this"
    status = HTTPStatus.CONFLICT


class TooSlowError(RequestError):
    slug = "request-timeout"
    title = "The request did not arrive in time"
    status = HTTPStatus.REQUEST_TIMEOUT


class BodyTooLargeError(RequestError):
    slug = "body-too-large"
    title = "The body is too large"
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class UnsupportedMediaError(RequestError):
    slug = "unsupported-media-type"
    title = "The body must be application/json"
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class InvalidRequestError(RequestError):
    slug = "invalid-request"
    title = "The request is not valid"
    status = HTTPStatus.UNPROCESSABLE_ENTITY


class QuotaError(RequestError):
    """This caller, not now; `retry_after_s` is what it is told to wait."""

    slug = "quota-exceeded"
    title = "The quota of this API key is used up"
    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, detail: str, retry_after_s: int) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s

    @property
    def headers(self) -> Mapping[str, str]:
        return {"Retry-After": str(self.retry_after_s)}


class UnavailableError(PromiseError):
    """Not now; `retry_after_s` is what the caller is told to wait."""

    slug = "unavailable"
    title = "Not available at the moment"
    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, detail: str, retry_after_s: int) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s

    @property
    def headers(self) -> Mapping[str, str]:
        return {"Retry-After": str(self.retry_after_s)}


class OverloadedError(UnavailableError):
    slug = "overloaded"
    title = "Too many requests at once"


class StoreUnavailableError(UnavailableError):
    slug = "store-unavailable"
    title = "The store does not answer"


class CodecError(PromiseError):
    slug = "corrupt-encoding"
    title = "A cached encoding cannot be read"
