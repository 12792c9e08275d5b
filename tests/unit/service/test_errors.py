"""The error tree is one vocabulary: drawn completely, no slug twice."""

import importlib

import pytest

from service import errors
from service.errors import OverloadedError, PromiseError, RequestError

DEFINED_ELSEWHERE = ("service.engine.bundle", "service.engine.graphs")


def tree(base: type[PromiseError]) -> list[type[PromiseError]]:
    return [base, *(found for child in base.__subclasses__() for found in tree(child))]


@pytest.fixture(scope="module", autouse=True)
def every_class() -> list[type[PromiseError]]:
    for module in DEFINED_ELSEWHERE:
        importlib.import_module(module)
    return [found for found in tree(PromiseError) if found.__module__.startswith("service.")]


def test_the_docstring_draws_every_class(every_class: list[type[PromiseError]]) -> None:
    assert errors.__doc__ is not None
    assert not [found.__name__ for found in every_class if found.__name__ not in errors.__doc__]


def test_no_slug_is_used_twice(every_class: list[type[PromiseError]]) -> None:
    slugs = [found.slug for found in every_class if "slug" in vars(found)]
    assert sorted(slugs) == sorted(set(slugs))


def test_the_callers_mistakes_are_4xx() -> None:
    assert all(400 <= found.status < 500 for found in tree(RequestError))


def test_an_error_reads_as_its_detail() -> None:
    error = OverloadedError("Full.", 2)
    assert (str(error), error.detail, error.headers["Retry-After"]) == ("Full.", "Full.", "2")
