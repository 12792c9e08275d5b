"""GET /docs: the API's document as one plain page that loads nothing from elsewhere."""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

# Complete without the playground's own style, which where it is loaded gives the colours.
STYLE = """
body { font: 14px/1.5 var(--sans, system-ui, sans-serif); margin: 0; }
main { max-width: 60rem; margin: 1.5rem auto 4rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0 0 .5rem; } h2 { font-size: 1.125rem; margin: 2rem 0 .25rem; }
h2::first-letter { text-transform: uppercase; } h4 { margin: .75rem 0 .25rem; } p { margin: 0 0 .5rem; }
details { background: var(--panel, transparent); border: 1px solid var(--line, #8886); border-radius: 8px; }
details { margin: .4rem 0; padding: 0 1rem; } details[open] { padding-bottom: 1rem; }
summary { cursor: pointer; padding: .5rem 0; } code, pre { font: 13px/1.45 var(--mono, ui-monospace, monospace); }
summary code { margin-right: .75rem; overflow-wrap: anywhere; }
pre { overflow: auto; background: var(--raised, #8881); padding: .6rem; border-radius: 6px; margin: .4rem 0; }
table { border-collapse: collapse; width: 100%; table-layout: fixed; }
td { text-align: left; vertical-align: top; padding: .15rem .8rem .15rem 0; overflow-wrap: anywhere; }
td:first-child { width: 4.5rem; } tr > td:nth-child(2):nth-last-child(2) { width: 12rem; }
.method { display: inline-block; width: 4.5rem; font-weight: 600; }
:root:not([data-theme]) { color-scheme: light dark; }
"""
SHARED = """
<link rel="icon" href="web/icon.svg">
<link rel="stylesheet" href="web/base.css">
<script src="web/theme.js"></script>
"""
HEADER = """
<a class="skip" href="#main">Skip to the routes</a>
<header class="top">
<a class="brand" href="./"><img src="web/icon.svg" alt="" width="22" height="22">Promise</a>
<nav aria-label="Pages">
<a href="./">Playground</a><a href="status">Status</a><a href="docs" aria-current="page">API</a>
</nav>
<span class="top-note"></span>
<button type="button" id="theme" class="quiet">Theme: auto</button>
</header>
"""

Json = Mapping[str, Any]


def policy(playground: bool) -> str:
    """The page's Content-Security-Policy: its own style, known by its hash, and what it uses of the playground's."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    own = " 'self'; script-src 'self'; img-src 'self'" if playground else ""
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'{own}; "
        "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    )


def page(document: Json, playground: bool) -> str:
    """HTML of an OpenAPI document: every operation with its parameters, examples and answers.

    With the playground it has that one's header and theme.
    """
    info, parts = document["info"], "".join(_tags(document))
    title = escape(info["title"])
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}: API</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">{SHARED if playground else ""}'
        f'<style>{STYLE}</style></head><body>{HEADER if playground else ""}<main id="main" tabindex="-1">'
        f"<h1>{title}</h1><p>{escape(info['summary'])}. Version {escape(info['version'])}; for machines: "
        f'<a href="openapi.json">openapi.json</a>.</p>{parts}</main></body></html>'
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
