"""Errors as application/problem+json (RFC 9457), each with a stable type; a prefix may have another shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec
from starlette.responses import Response

PROBLEM_MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_SECONDS: Final = 1


class ProblemKind(NamedTuple):
    """One documented kind of problem: what /problems/{code} tells."""

    code: str
    status: int
    title: str
    meaning: str
    remedy: str


KINDS: Final[dict[str, ProblemKind]] = {
    kind.code: kind
    for kind in (
        ProblemKind(
            "json_invalid",
            400,
            "The body is not JSON",
            "The body could not be read as one JSON value in UTF-8.",
            "Send valid JSON without NaN, Infinity and lone surrogates.",
        ),
        ProblemKind(
            "path_invalid",
            400,
            "The path cannot be read",
            "A segment of the path is not percent-encoded UTF-8.",
            "Percent-encode every byte of the id that is not a letter, a digit or one of -._~.",
        ),
        ProblemKind(
            "dialect_unknown",
            400,
            "No such dialect",
            "The answer was asked for in the shape of a product that is not spoken here.",
            "Use one of the names that the detail lists.",
        ),
        ProblemKind(
            "unauthenticated",
            401,
            "An API key is needed",
            "No living API key came with the request.",
            "Send it as `Authorization: Bearer sk-...` or as `X-API-Key: sk-...`.",
        ),
        ProblemKind(
            "forbidden",
            403,
            "The API key may not do this",
            "The key is known, but lacks the scope that this needs.",
            "Use a key with the scope that the detail names.",
        ),
        ProblemKind(
            "not_found",
            404,
            "Not found",
            "Nothing has this address or this id.",
            "Check the path and the id; ids are percent-encoded once.",
        ),
        ProblemKind(
            "prefix_missing",
            404,
            "This base URL serves nobody",
            "Clients of other products are served below a prefix of their own.",
            "Use one of the base URLs that the detail names.",
        ),
        ProblemKind(
            "no_gateway",
            404,
            "This is no gateway",
            "Meterfold meters usage; it does not forward requests to models.",
            "Send completions to your gateway, and the usage it reports to POST /v1/events.",
        ),
        ProblemKind(
            "method_not_allowed",
            405,
            "Method not allowed",
            "The address exists, but not for this method.",
            "Use one of the methods in the header Allow.",
        ),
        ProblemKind(
            "already_exists",
            409,
            "It exists already",
            "Something alive has this id.",
            "Change it with PATCH, or choose another id.",
        ),
        ProblemKind(
            "conflict",
            409,
            "The current state does not allow it",
            "The request is well formed, but not possible as things are.",
            "The detail says what stands in the way.",
        ),
        ProblemKind(
            "gone",
            410,
            "No longer kept",
            "Rows this old were removed by the retention that was set.",
            "Ask for a later position.",
        ),
        ProblemKind(
            "body_too_large", 413, "The body is too large", "Nothing of it was received.", "Send it in smaller parts."
        ),
        ProblemKind(
            "media_type_unsupported",
            415,
            "Media type not supported",
            "The header Content-Type names something this address does not read.",
            "Use one of the media types that the detail lists.",
        ),
        ProblemKind(
            "invalid",
            422,
            "A value breaks a rule",
            "`field` names the value, `rule` says what would be right; `errors` lists all of them.",
            "Correct the value.",
        ),
        ProblemKind(
            "id_invalid",
            422,
            "This cannot be an id",
            "Ids have 1 to 1,000 characters, no NUL, and are neither '.' nor '..'.",
            "Choose another id.",
        ),
        ProblemKind(
            "internal",
            500,
            "Internal error",
            "Something went wrong that should not have; the log of the engine knows what.",
            "Try again; if it persists, report it with the time.",
        ),
        ProblemKind(
            "not_folded_yet",
            503,
            "Not folded yet",
            "The position asked for was not folded within the time a request may wait.",
            "Try again after the seconds in Retry-After, or ask without min_position.",
        ),
        ProblemKind(
            "stopping",
            503,
            "The engine is being stopped",
            "Nothing was received: the engine finishes what it has and takes no more.",
            "Try again after the seconds in Retry-After; a resend is safe.",
        ),
        ProblemKind(
            "read_store_unavailable",
            503,
            "The read store cannot be read",
            "The storage under it is full or failing; it is opened again by itself as soon as that is over.",
            "Nothing received is lost. Try again later; /readyz tells why.",
        ),
        ProblemKind(
            "fold_stopped",
            503,
            "The fold stands still",
            "The engine receives but does not count at the moment; /readyz tells why.",
            "Nothing received is lost. Try again later.",
        ),
        ProblemKind(
            "log_unavailable",
            503,
            "The event log refuses",
            "Nothing was stored: the storage under the log is full, read-only or locked.",
            "Try again later; a resend is safe.",
        ),
        ProblemKind(
            "intake_full",
            503,
            "Too much at once",
            "Nothing was stored: more is waiting than the engine accepts.",
            "Try again after the seconds in Retry-After; a resend is safe.",
        ),
        ProblemKind(
            "intake_unavailable",
            503,
            "The intake is not running",
            "It is being started again. It is not known whether this was stored.",
            "Try again after the seconds in Retry-After; a resend counts nothing twice.",
        ),
    )
}


class Problem(Exception):
    """A request ends here, with this kind of problem. Raised by routes; rendered once, in the shape of the prefix."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        field: str | None = None,
        rule: str | None = None,
        errors: tuple[tuple[str, str], ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.kind = KINDS[code]
        self.detail = detail
        self.field = field
        self.rule = rule
        self.errors = errors
        self.headers = dict(headers or {})
        if self.kind.status == 503:
            self.headers.setdefault("Retry-After", str(RETRY_AFTER_SECONDS))

    @classmethod
    def invalid(cls, field: str, rule: str, code: str = "invalid") -> Problem:
        """One value breaks one rule. A code without a page of its own becomes `invalid`."""
        known = code if code in KINDS and KINDS[code].status == 422 else "invalid"
        return cls(known, f"{field} {rule}", field=field, rule=rule, errors=((field, rule),))

    def members(self, instance: str | None) -> dict[str, Any]:
        """The JSON members of the problem document."""
        document: dict[str, Any] = {
            "type": f"/problems/{self.kind.code}",
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
        }
        if self.field is not None:
            document |= {"field": self.field, "rule": self.rule}
        if self.errors:
            document["errors"] = [{"field": field, "rule": rule} for field, rule in self.errors]
        if instance is not None:
            document["instance"] = instance
        return document


Renderer = Callable[[Problem, str], Response]


def problem_document(problem: Problem, path: str) -> Response:
    """The native shape."""
    body = msgspec.json.encode(problem.members(instance=path))
    return Response(body, problem.kind.status, headers=problem.headers, media_type=PROBLEM_MEDIA_TYPE)


class ProblemShapes:
    """Which shape errors take, by the longest prefix of the path; the native one where none is registered."""

    def __init__(self) -> None:
        self._renderers: dict[str, Renderer] = {}

    def register(self, prefix: str, renderer: Renderer) -> None:
        """Errors of every path that is `prefix` or lies below it are rendered by `renderer`."""
        self._renderers[prefix.rstrip("/")] = renderer

    def render(self, problem: Problem, path: str) -> Response:
        for prefix in sorted(self._renderers, key=len, reverse=True):
            if path == prefix or path.startswith(prefix + "/"):
                return self._renderers[prefix](problem, path)
        return problem_document(problem, path)


def found_or_404(view: Any, what: str, name: str) -> Any:
    """`view`, or 404."""
    if view is None:
        raise Problem("not_found", f"{what} {name!r} does not exist")
    return view
