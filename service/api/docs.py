"""GET /docs: the API's document as one plain page that loads nothing, neither from elsewhere nor by script."""

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
details { border: 1px solid #8886; border-radius: 6px; margin: .4rem 0; padding: .3rem .8rem; }
summary { cursor: pointer; } code, pre { font: 13px/1.45 ui-monospace, monospace; }
pre { overflow: auto; background: #8881; padding: .6rem; border-radius: 6px; }
td, th { text-align: left; vertical-align: top; padding: .1rem .8rem .1rem 0; }
.method { display: inline-block; width: 4.5rem; font-weight: 600; }
@media (prefers-color-scheme: dark) { body { background: #16181c; color: #e6e6e6; } a { color: #8ab4f8; } }
"""

Json = Mapping[str, Any]


def page(document: Json) -> str:
    """HTML of an OpenAPI document: every operation with its parameters, examples and answers."""
    info, parts = document["info"], "".join(_tags(document))
    title = escape(info["title"])
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}: API</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>'
        f"<h1>{title}</h1><p>{escape(info['summary'])}. Version {escape(info['version'])}; for machines: "
        f'<a href="openapi.json">openapi.json</a>.</p>{parts}</html>'
    )


def _tags(document: Json) -> Iterator[str]:
    for tag in document["tags"]:
        yield f"<h2>{escape(tag['name'])}</h2><p>{escape(tag['description'])}</p>"
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                if tag["name"] in operation["tags"]:
                    yield _operation(path, method, operation, document)


def _operation(path: str, method: str, operation: Json, document: Json) -> str:
    head = f'<span class="method">{method.upper()}</span> <code>{escape(path)}</code> {escape(operation["summary"])}'
    rows = "".join(_row(one) for one in operation.get("parameters", []))
    body = _body(operation, document)
    answers = "".join(_answer(status, one, document) for status, one in operation["responses"].items())
    text = f"<p>{escape(operation.get('description', ''))}</p>"
    return (
        f"<details><summary>{head}</summary>{text}"
        f"{f'<table>{rows}</table>' if rows else ''}{body}<h4>Answers</h4><table>{answers}</table></details>"
    )


def _row(parameter: Json) -> str:
    described = escape(parameter.get("description", ""))
    return f"<tr><td>{parameter['in']}</td><td><code>{escape(parameter['name'])}</code></td><td>{described}</td></tr>"


def _body(operation: Json, document: Json) -> str:
    media = operation.get("requestBody", {}).get("content", {}).get("application/json")
    return f"<h4>Body</h4>{_example(media, document)}" if media else ""


def _answer(status: str, answer: Json, document: Json) -> str:
    shown = "".join(_example(media, document) for media in answer.get("content", {}).values())
    return f"<tr><td>{status}</td><td>{escape(answer['description'])}{shown if status < '300' else ''}</td></tr>"


def _example(media: Json, document: Json) -> str:
    found = example_of(media, document)
    return "" if found is None else f"<pre>{escape(json.dumps(found, indent=2, ensure_ascii=False))}</pre>"


def example_of(media: Json, document: Json) -> Any:
    """The example of a body, its own or that of its schema; None without one."""
    if "example" in media:
        return media["example"]
    schema = _resolved(media.get("schema", {}), document)
    if schema.get("examples"):
        return schema["examples"][0]
    if "items" in schema:
        inner = example_of({"schema": schema["items"]}, document)
        return None if inner is None else [inner]
    choices = (example_of({"schema": one}, document) for one in schema.get("anyOf", []))
    return next((found for found in choices if found is not None), None)


def _resolved(schema: Json, document: Json) -> Json:
    if "$ref" not in schema or "examples" in schema:
        return schema
    name = schema["$ref"].rpartition("/")[2]
    found: Json = document["components"]["schemas"][name]
    return found
