"""A service in this process against its own OpenAPI document: cases of Schemathesis, all its checks on every answer.

One check is left out: it looks for routes that take a made-up credential, and here the right one is put in.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, cast

import httpx
import requests
import schemathesis
from fake_service import Client
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import load_all_checks
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi import checks

TOKEN, KEY = "a-token-of-the-admin", "pk_a-key-of-a-caller"
HOST = "http://made"
COMMON = ("x-request-id", "cache-control", "x-ab-bucket")  # headers of every answer
TAKEN = ("method", "url", "headers", "params", "data", "json", "files")
# What a request that fits the document may still be refused for: the document cannot say which names there are.
NAMES = ("unknown-tier", "unknown-bucket", "unknown-filter", "unknown-strategy", "invalid-feedback-token")
WHOLE = "Input should be a valid integer."  # 1.0 is one for JSON Schema, and none for the service
PLACES = {
    "/catalogue/items": "q: ask by words or by id",
    "/admin/bundles/{name}/reload": "path: it must be an existing folder",
    "/admin/bundles/{name}/catalogue": "",  # items there are, codes that are free
}

Operation = Any  # schemathesis has no public name for it
One = Case[Any]
Known = Callable[[str, str], str | None]


class Api:
    """Calls and checks; `answers` counts them by operation and status.

    `known`: of a path and the name of a parameter in it, a value that names something, or None.
    """

    def __init__(self, client: Client, known: Known) -> None:
        load_all_checks()
        self.client, self._known = client, known
        self.answers: Counter[tuple[str, int]] = Counter()
        self._schema = schemathesis.openapi.from_dict(client.call("GET", "/openapi.json").json())

    def operations(self) -> list[Operation]:
        """All but the drain, after which nothing is ready any more."""
        found = [cast(Any, found).ok() for found in self._schema.get_all_operations()]
        return [operation for operation in found if operation.path != "/admin/drain"]

    def cases(self, operation: Operation, mode: GenerationMode) -> st.SearchStrategy[One] | None:
        """Cases that fit the document, or that do not; None where there is nothing to choose."""
        values = {one.name: self._known(operation.path, one.name) for one in operation.path_parameters}
        named = {name: value for name, value in values.items() if value is not None}
        more = any(map(list, (operation.query, operation.headers, operation.body)))
        if not more and not values:
            return None
        ways = [operation.as_strategy(generation_mode=mode)]
        if named and (more or mode is GenerationMode.POSITIVE):
            ways.append(operation.as_strategy(generation_mode=mode, path_parameters=named))
        return st.one_of(ways)

    def edges(self, operation: Operation) -> Iterator[One]:
        """What Schemathesis calls coverage: limits of every field, parts left out, other methods and content types."""
        config = self._schema.config.generation_for(operation=operation)
        found: Iterator[One] = self._schema.iter_coverage_cases(
            operation, generation_modes=list(GenerationMode), generation_config=config
        )
        return found

    def check(self, case: One) -> None:
        """Send one case; the answer is what the document says, and no error of the server's."""
        try:
            response = self._sent(case)
        except httpx.InvalidURL:
            return  # longer than the client of the tests can send
        self.answers[case.operation.label, response.status_code] += 1
        for name in COMMON:
            assert name in response.headers, (name, case)
        try:
            case.validate_response(response, excluded_checks=list(_excluded(case, response)))
        except FailureGroup as found:
            raise AssertionError(str(found)) from None  # groups are no errors that a shrinker would follow

    def _sent(self, case: One) -> httpx.Response:
        options = case.as_transport_kwargs(base_url=HOST)
        prepared = requests.Request(**{name: options[name] for name in TAKEN if name in options}).prepare()
        prepared.headers["X-API-Key"] = KEY
        if not _about_credentials(case):
            prepared.headers["Authorization"] = f"Bearer {TOKEN}"
        method, url = str(prepared.method), str(prepared.url)
        return self.client.call(method, url, headers=dict(prepared.headers), content=prepared.body)


def _excluded(case: One, response: httpx.Response) -> Iterator[Any]:
    yield checks.ignored_auth
    if response.status_code == 403:
        yield checks.missing_required_header  # without a token of its own the service wants none
    if response.status_code == 413:  # a refusal of its own, whatever else is wrong with the body
        yield from (checks.negative_data_rejection, checks.positive_data_acceptance)
    if _names_nothing(case, response):
        yield checks.positive_data_acceptance
    if "unexpected properties" in _described(case):
        yield checks.negative_data_rejection  # of headers, which proxies may add
    if case.path == "/catalogue/items" and not isinstance((case.query or {}).get("id", []), list):
        yield checks.negative_data_rejection  # one value in a query is a list of one
    if case.path == "/recommend/batch" and response.status_code == 200:
        yield checks.negative_data_rejection  # each entry is refused by itself
        assert all(("response" in one) != ("problem" in one) for one in response.json())


def _names_nothing(case: One, response: httpx.Response) -> bool:
    if response.status_code == 400:
        return response.json()["type"].rpartition("/")[2] in NAMES
    if response.status_code != 422:
        return False
    detail, place = response.json().get("detail", ""), PLACES.get(case.path)
    return detail.endswith(WHOLE) or (place is not None and detail.startswith(place))


def _described(case: One) -> str:
    return str(getattr(getattr(case.meta and case.meta.phase, "data", None), "description", "") or "")


def _about_credentials(case: One) -> bool:
    """Whether the case is one because its credentials are missing or wrong."""
    data = getattr(case.meta and case.meta.phase, "data", None)
    changed = {getattr(data, "parameter", None), *(one.parameter for one in getattr(data, "mutations", None) or ())}
    return "Authorization" in changed
