"""HTML pages that need no network and no key: the start page, the API references, an explanation of each problem."""

from __future__ import annotations

import re
from functools import cache
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from fastapi import APIRouter
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response

from api.http.dialect import Dialects
from api.http.problems import PROBLEM_KINDS, Problem, ProblemKind
from api.http.state import StateOf
from domain.usage.event_model import usage_event_json_schema

#: Media types of the files that the reference pages load, by name. The package fastapi-offline ships them.
ASSETS: Final = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon.png": "image/png",
}
ASSET_SECONDS: Final = 86_400
#: What `GET /` answers to programs.
START: Final = {"name": "Meterfold", "docs": "/docs", "openapi": "/openapi.json", "ready": "/readyz"}
_HTML, _JSON = "text/html", "application/json"
#: A host that may be part of a command to be pasted into a shell; browsers and clients choose the header freely.
_HOST: Final = re.compile(r"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?")
_STYLE: Final = """
:root{color-scheme:light dark}body{font:16px/1.5 system-ui;max-width:44rem;margin:3rem auto;padding:0 1rem}
h2{font-size:1.1rem;margin:2rem 0 .5rem}table{border-collapse:collapse}
td,th{padding:.2rem .8rem .2rem 0;text-align:left;vertical-align:top;overflow-wrap:break-word}
pre{padding:.8rem;overflow-x:auto;background:#8882;border-radius:.3rem}code,pre{font-size:.875rem}
"""
_FIRST_CALLS: Final = """\
export KEY=sk-...
curl {address}/v1/events \\
  -H "Authorization: Bearer $KEY" \\
  -H 'Content-Type: application/cloudevents+json' \\
  -d '{{"specversion": "1.0", "id": "request-1", "source": "my-gateway",
       "type": "llm.request", "subject": "ada",
       "data": {{"provider": "openai", "model": "gpt-4o",
                "input_tokens": 1200, "output_tokens": 350}}}}'
curl {address}/v1/customers/ada/current-usage \\
  -H "Authorization: Bearer $KEY"
"""

router = APIRouter(include_in_schema=False)


@router.get("/")
async def start(request: Request, state: StateOf) -> Response:
    """Show people what this is and where to go on; point programs to the documentation."""
    headers = {"Vary": "Accept"}
    if not _prefers_html(request.headers.get("accept", "")):
        return JSONResponse(START, headers=headers)
    address = escape((state.engine.settings.public_url or own_address(request)).rstrip("/"))
    content = (
        "<p>Meterfold meters usage: report every request as an event, then ask what a customer has used in this period "
        "and in past ones, and whether it may go on.</p>"
        "<h2>First calls</h2><p>The engine keeps its first API key in the file "
        "<code>admin.key</code> of its data folder.</p>"
        f"<pre tabindex='0'>{_FIRST_CALLS.format(address=address)}</pre>"
        f"<h2>API references</h2>{_references(state.dialects)}"
        "<p><a href='/docs'>All documentation pages</a></p>"
        "<h2>State of the engine</h2><table>"
        "<tr><td><a href='/healthz'>/healthz</a></td><td>whether it runs</td></tr>"
        "<tr><td><a href='/readyz'>/readyz</a></td><td>whether it is ready, and how far it has counted</td></tr>"
        "<tr><td><a href='/metrics'>/metrics</a></td><td>metrics for Prometheus</td></tr></table>"
    )
    response = _page("Meterfold", content)
    response.headers.update(headers)
    return response


def _prefers_html(accept: str) -> bool:
    """Whether an Accept header names HTML, and JSON not before it."""
    weights: dict[str, float] = {}
    for part in accept.lower().split(","):
        media_type, *parameters = (one.strip() for one in part.split(";"))
        weight = next((one[2:] for one in parameters if one.startswith("q=")), "1")
        weights[media_type] = float(weight) if re.fullmatch(r"[01](\.\d{0,3})?", weight) else 0.0
    return weights.get(_HTML, 0.0) > weights.get(_JSON, 0.0)


def own_address(request: Request) -> str:
    """The address that the client used for this engine; its socket's when the header Host is none."""
    host = request.headers.get("host", "")
    if not _HOST.fullmatch(host):
        name, port = request.scope.get("server") or ("127.0.0.1", None)
        host = name if port is None else f"{name}:{port}"
    return f"{request.scope['scheme']}://{host}{request.scope.get('root_path', '')}"


@router.get("/docs")
async def references(state: StateOf) -> HTMLResponse:
    """List the pages: the reference of the native API and of each dialect, and what else there is."""
    further = (
        "<h2>Further</h2><ul><li><a href='/problems'>Problems</a>: every kind of error of the native API</li>"
        "<li><a href='/schemas/usage-event.json'>JSON Schema</a> of a usage event</li></ul>"
    )
    return _page("Documentation", _references(state.dialects) + further)


def _references(dialects: Dialects) -> str:
    rows = "".join(
        f"<tr><td><a href='/docs/{escape(one.name)}'>{escape(one.title)}</a></td>"
        f"<td><code>{escape(one.base_path or '/')}</code></td>"
        f"<td><a href='{escape(one.openapi_path)}'>OpenAPI</a></td></tr>"
        for one in dialects
    )
    return f"<table><tr><th>API</th><th>Base path</th><th>Document</th></tr>{rows}</table>"


@router.get("/docs/{name}")
async def reference(name: str, state: StateOf) -> Response:
    """Show the reference of a dialect, where every operation can be tried out, or serve one of `ASSETS`."""
    if name in ASSETS:
        headers = {"Cache-Control": f"public, max-age={ASSET_SECONDS}"}
        return FileResponse(assets_folder() / name, media_type=ASSETS[name], headers=headers)
    dialect = state.dialects.named(name)
    if dialect is None:
        raise Problem("not_found", f"page {name!r} does not exist")
    return get_swagger_ui_html(
        openapi_url=dialect.openapi_path,
        title=f"{dialect.title} - Meterfold",
        swagger_js_url="/docs/swagger-ui-bundle.js",
        swagger_css_url="/docs/swagger-ui.css",
        swagger_favicon_url="/docs/favicon.png",
        swagger_ui_parameters={"persistAuthorization": True, "validatorUrl": None},
    )


@cache
def assets_folder() -> Path:
    """The folder of the files, found without importing the package."""
    spec = find_spec("fastapi_offline")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("the package fastapi-offline, which ships the files of /docs, is not installed")
    return Path(spec.submodule_search_locations[0]) / "static"


@router.get("/schemas/usage-event.json")
def usage_event_schema() -> Response:
    """Serve the JSON Schema of a usage event."""
    return JSONResponse(usage_event_json_schema(), media_type="application/schema+json")


@router.get("/problems")
def problems() -> HTMLResponse:
    """List all kinds of problems."""
    rows = "".join(
        f'<tr><td>{kind.status}</td><td><a href="/problems/{kind.code}">{kind.code}</a></td>'
        f"<td>{escape(kind.title)}</td></tr>"
        for kind in PROBLEM_KINDS.values()
    )
    return _page("Problems", f"<table>{rows}</table>")


@router.get("/problems/{code}")
def problem(code: str) -> HTMLResponse:
    """Explain one kind of problem and its remedy. The `type` of every problem is the path of this page."""
    kind = PROBLEM_KINDS.get(code)
    if kind is None:
        raise Problem("not_found", f"problem {code!r} does not exist")
    return _page(kind.title, _explanation(kind))


def _explanation(kind: ProblemKind) -> str:
    return (
        f"<p><code>/problems/{kind.code}</code>, status {kind.status}</p><p>{escape(kind.meaning)}</p>"
        f"<p>What helps: {escape(kind.remedy)}</p><p><a href='/problems'>All problems</a></p>"
    )


def _page(title: str, content: str) -> HTMLResponse:
    name = title if title == START["name"] else f"{title} - {START['name']}"
    head = (
        f"<meta charset='utf-8'><meta name='viewport' content='width=device-width,initial-scale=1'>"
        f"<title>{escape(name)}</title><link rel='icon' href='/docs/favicon.png'><style>{_STYLE}</style>"
    )
    return HTMLResponse(
        f"<!DOCTYPE html><html lang='en'><head>{head}</head><body><h1>{escape(title)}</h1>{content}</body></html>"
    )
