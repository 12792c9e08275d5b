"""What every error response has in common."""

from typing import Any

import httpx

from service.api.schemas.common import Problem


def assert_problem(response: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    """The problem document (RFC 9457) of a response that must be this one."""
    body: dict[str, Any] = response.json()
    assert (response.status_code, body.get("type")) == (status, f"/problems/{slug}"), response.text[:500]
    assert response.headers["content-type"] == "application/problem+json"
    assert_document(body)
    assert body["status"] == status
    assert body["request_id"] == response.headers["x-request-id"]
    assert len(response.content) < 4000
    return body


def assert_document(body: dict[str, Any]) -> None:
    Problem.model_validate(body)
    assert body["detail"].endswith((".", "?"))
