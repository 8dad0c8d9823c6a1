"""HTML of the portal by Jinja, escaped, with headers that let a browser load nothing else and keep nothing."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import Response

from api.http.state import ApiState

#: Of every answer: nothing of it is kept or indexed, and its address, which is a secret, is told to no other site.
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}


def html_response(
    template: str,
    values: Mapping[str, Any],
    frame_ancestors: Sequence[str],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Render a template of the portal. `frame_ancestors`: the sites that may show it in a frame."""
    content = _environment().get_template(template).render(values, style=_style())
    policy = {"Content-Security-Policy": _content_security_policy(frame_ancestors)}
    return Response(content, status, {**(headers or {}), **_HEADERS, **policy}, "text/html; charset=utf-8")


def frame_ancestors_of(state: ApiState) -> tuple[str, ...]:
    """The sites that may show the portal in a frame, by the settings."""
    return state.engine.settings.portal_frame_ancestors


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("api.portal", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _style() -> str:
    """The style sheet, which stands in the page itself. It is ours, so that templates do not escape it."""
    loader = _environment().loader
    if loader is None:
        raise RuntimeError("the environment of the portal has a loader")
    return loader.get_source(_environment(), "portal.css")[0]


def _content_security_policy(frame_ancestors: Sequence[str]) -> str:
    digest = b64encode(sha256(_style().encode()).digest()).decode()
    ancestors = " ".join("'none'" if one == "none" else one for one in frame_ancestors)
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"frame-ancestors {ancestors}"
    )
