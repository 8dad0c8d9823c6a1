"""HTML pages that need no network: the API reference, and an explanation of each kind of problem."""

from __future__ import annotations

from functools import cache
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from fastapi import APIRouter
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response

from api.http.problems import PROBLEM_KINDS, Problem, ProblemKind
from domain.usage.event_model import usage_event_json_schema

#: Media types of the files that the reference page loads, by name. The package fastapi-offline ships them.
ASSETS: Final = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon.png": "image/png",
}
ASSET_SECONDS: Final = 86_400

router = APIRouter(include_in_schema=False)


@cache
def assets_folder() -> Path:
    """The folder of the files, found without importing the package."""
    spec = find_spec("fastapi_offline")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("the package fastapi-offline, which ships the files of /docs, is not installed")
    return Path(spec.submodule_search_locations[0]) / "static"


@router.get("/docs")
def reference() -> HTMLResponse:
    """Show the API reference, where every operation can be tried out."""
    return get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Meterfold API",
        swagger_js_url="/docs/swagger-ui-bundle.js",
        swagger_css_url="/docs/swagger-ui.css",
        swagger_favicon_url="/docs/favicon.png",
        swagger_ui_parameters={"persistAuthorization": True, "validatorUrl": None},
    )


@router.get("/docs/{name}")
def asset(name: str) -> FileResponse:
    """Serve one of `ASSETS`."""
    if name not in ASSETS:
        raise Problem("not_found", f"file {name!r} does not exist")
    headers = {"Cache-Control": f"public, max-age={ASSET_SECONDS}"}
    return FileResponse(assets_folder() / name, media_type=ASSETS[name], headers=headers)


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
    style = "body{font:16px/1.5 system-ui;max-width:44rem;margin:3rem auto;padding:0 1rem}td{padding:.2rem .8rem}"
    head = f'<meta charset="utf-8"><title>{escape(title)} - Meterfold</title><style>{style}</style>'
    return HTMLResponse(
        f"<!DOCTYPE html><html lang='en'><head>{head}</head><body><h1>{escape(title)}</h1>{content}</body></html>"
    )
