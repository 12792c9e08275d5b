"""Every error the service knows, as one tree: the slug is the problem type, the metric label and the log event.

PromiseError
├── StartError                      before the first request: one sentence on stderr, exit code 2
│   ├── SettingsError               an unknown or invalid PROMISE_ variable
│   ├── BundleError                 (service.engine.bundle) a missing, damaged or foreign bundle file
│   └── DeviceError                 (service.engine.graphs) CUDA was asked for and is absent
├── RequestError                    the caller's mistake: a 4xx problem (RFC 9457)
│   ├── MalformedBodyError      400     not JSON
│   ├── UnknownBucketError      400     an experiment bucket that is not configured
│   ├── UnknownTierError        400     a budget tier that this bundle does not offer
│   ├── NotFoundError           404
│   ├── MethodNotAllowedError   405
│   ├── BodyTooLargeError       413
│   ├── UnsupportedMediaError   415
│   └── InvalidRequestError     422     JSON of the wrong shape
├── OverloadedError             503     more concurrent requests than admitted; carries Retry-After
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


class NotFoundError(RequestError):
    slug = "not-found"
    title = "There is nothing here"
    status = HTTPStatus.NOT_FOUND


class MethodNotAllowedError(RequestError):
    slug = "method-not-allowed"
    title = "This route has no such method"
    status = HTTPStatus.METHOD_NOT_ALLOWED


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


class OverloadedError(PromiseError):
    """Load was shed; `retry_after_s` is what the caller is told to wait."""

    slug = "overloaded"
    title = "Too many requests at once"
    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, detail: str, retry_after_s: int) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s

    @property
    def headers(self) -> Mapping[str, str]:
        return {"Retry-After": str(self.retry_after_s)}


class CodecError(PromiseError):
    slug = "corrupt-encoding"
    title = "A cached encoding cannot be read"
