"""Errors as application/problem+json (RFC 9457), each with a stable type. Dialects render them in other shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec
from starlette.responses import Response

PROBLEM_MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_SECONDS: Final = 1


class ProblemKind(NamedTuple):
    """One documented kind of problem, as /problems/{code} explains it."""

    code: str
    status: int
    title: str
    meaning: str
    remedy: str


PROBLEM_KINDS: Final[dict[str, ProblemKind]] = {
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
            "The response was requested in the dialect of a product that is not supported.",
            "Use one of the names that the detail lists.",
        ),
        ProblemKind(
            "unauthenticated",
            401,
            "An API key is needed",
            "The request has no API key, or its key is unknown or was revoked.",
            "Send it as `Authorization: Bearer sk-...` or as `X-API-Key: sk-...`.",
        ),
        ProblemKind(
            "forbidden",
            403,
            "The API key may not do this",
            "The key is valid, but lacks the scope that this request needs.",
            "Use a key with the scope that the detail names.",
        ),
        ProblemKind(
            "read_only",
            403,
            "This store is to be looked at",
            "It was made by `meterfold replay --into` of a log, or of a range of it. Nothing can be sent to it.",
            "Send the request to the engine whose log it was made of.",
        ),
        ProblemKind(
            "not_found",
            404,
            "Not found",
            "No route has this path, or nothing has this id.",
            "Check the path and the id; ids are percent-encoded once.",
        ),
        ProblemKind(
            "prefix_missing",
            404,
            "No API has this base URL",
            "Clients of other products use a base URL with a prefix.",
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
            "The path exists, but not for this method.",
            "Use one of the methods in the header Allow.",
        ),
        ProblemKind(
            "already_exists",
            409,
            "It exists already",
            "The id is in use.",
            "Change it with PATCH, or choose another id.",
        ),
        ProblemKind(
            "conflict",
            409,
            "The current state does not allow it",
            "The request is valid, but not possible in the current state.",
            "The detail names the reason.",
        ),
        ProblemKind(
            "event_conflict",
            409,
            "Another event has this identity",
            "An earlier event has the same source and id, and other content. The earlier one counts; this one is in "
            "the log too, and is listed by GET /v1/rejected?outcome=conflict.",
            "Give every event an id of its own. To correct usage, amend the earlier event: POST /v1/events/amend.",
        ),
        ProblemKind(
            "payment_provider_missing",
            409,
            "The customer has no payment provider",
            "The customer names no payment provider, or one that the engine is not configured for; see the detail.",
            "Set payment_provider of the customer, and the settings of the provider.",
        ),
        ProblemKind(
            "payment_provider_refused",
            409,
            "The payment provider refuses",
            "The payment provider understood the request and refuses it; the detail has its reason.",
            "Correct what the reason names, such as the customer's id at the provider.",
        ),
        ProblemKind(
            "gone",
            410,
            "No longer kept",
            "Reserved: row retention is not available yet, so no request is answered with this problem.",
            "Ask for a later position.",
        ),
        ProblemKind(
            "body_too_large", 413, "The body is too large", "Nothing of it was stored.", "Send it in smaller parts."
        ),
        ProblemKind(
            "media_type_unsupported",
            415,
            "Media type not supported",
            "The header Content-Type names a media type that this path does not accept.",
            "Use one of the media types that the detail lists.",
        ),
        ProblemKind(
            "invalid",
            422,
            "A value breaks a rule",
            "`field` names the value and `rule` the rule that it breaks; `errors` lists all of them.",
            "Correct the value.",
        ),
        ProblemKind(
            "id_invalid",
            422,
            "The id is not valid",
            "Ids have 1 to 1,000 characters, no NUL, and are neither '.' nor '..'.",
            "Choose another id.",
        ),
        ProblemKind(
            "event_rejected",
            422,
            "The event is rejected",
            "The event cannot be read or breaks a rule: `reason` is a stable code, `field` and `rule` tell what is "
            "wrong. It counts nowhere, is in the log, and is listed by GET /v1/rejected.",
            "Correct the event and send it again; its id is still free.",
        ),
        ProblemKind(
            "internal",
            500,
            "Internal error",
            "An unexpected error occurred; the log of the engine has the details.",
            "Try again. If it persists, report it with the time of the request.",
        ),
        ProblemKind(
            "not_folded_yet",
            503,
            "Not folded yet",
            "The requested position was not folded within the time that a request may wait.",
            "Try again after the seconds in Retry-After, or ask without min_position.",
        ),
        ProblemKind(
            "stopping",
            503,
            "The engine is shutting down",
            "Nothing was received: the engine finishes running requests and accepts no new ones.",
            "Try again after the seconds in Retry-After; a resend is safe.",
        ),
        ProblemKind(
            "read_store_unavailable",
            503,
            "The read store cannot be read",
            "Its storage is full or failing. The engine reopens the store by itself once that is over.",
            "Nothing received is lost. Try again later; /readyz names the cause.",
        ),
        ProblemKind(
            "rows_being_written",
            503,
            "Rows of usage are being written again",
            "The read store is made anew: it has all numbers, and this question needs rows of single events as well.",
            "Try again after the seconds in Retry-After. Usage of whole days is answered already.",
        ),
        ProblemKind(
            "fold_stopped",
            503,
            "The fold has stopped",
            "The engine stores usage but does not count it at present; /readyz names the cause.",
            "Nothing received is lost. Try again later.",
        ),
        ProblemKind(
            "log_unavailable",
            503,
            "The event log cannot be written",
            "Nothing was stored: the storage of the log is full, read-only or locked.",
            "Try again later; a resend is safe.",
        ),
        ProblemKind(
            "payment_provider_unavailable",
            503,
            "The payment provider gives no answer",
            "The payment provider did not answer in time, failed, or refused the key of the engine; see the detail.",
            "Try again later; a customer is not created twice at the provider.",
        ),
        ProblemKind(
            "payment_provider_busy",
            503,
            "Too many requests wait for the payment provider",
            "Nothing was asked: METERFOLD_PAYMENT_PROVIDER_REQUESTS_MAX requests wait for an answer already.",
            "Try again after the seconds in Retry-After.",
        ),
        ProblemKind(
            "intake_full",
            503,
            "Too many requests are waiting",
            "Nothing was stored: the queue of the intake is full.",
            "Try again after the seconds in Retry-After; a resend is safe.",
        ),
        ProblemKind(
            "intake_unavailable",
            503,
            "The intake is not running",
            "The intake process is being restarted. Whether this request was stored is unknown.",
            "Try again after the seconds in Retry-After; events that are sent again are not counted twice.",
        ),
    )
}


class Problem(Exception):
    """Ends a request with this kind of problem. Routes raise it; the dialect of the path renders it."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        field: str | None = None,
        rule: str | None = None,
        errors: tuple[tuple[str, str], ...] = (),
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        """`more` are members that only problems of this kind have."""
        super().__init__(f"{code}: {detail}")
        self.kind = PROBLEM_KINDS[code]
        self.detail = detail
        self.field = field
        self.rule = rule
        self.errors = errors
        self.more = dict(more or {})
        self.headers = dict(headers or {})
        if self.kind.status == 503:
            self.headers.setdefault("Retry-After", str(RETRY_AFTER_SECONDS))

    @classmethod
    def invalid(cls, field: str, rule: str, code: str = "invalid") -> Problem:
        """Make the problem of one value that breaks one rule. A code without a page of its own becomes `invalid`."""
        known = code if code in PROBLEM_KINDS and PROBLEM_KINDS[code].status == 422 else "invalid"
        return cls(known, f"{field} {rule}", field=field, rule=rule, errors=((field, rule),))

    def members(self, instance: str | None) -> dict[str, Any]:
        """The JSON members of the problem document; `instance` is the path of the request."""
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
        document |= self.more
        if instance is not None:
            document["instance"] = instance
        return document


def native_problem_response(problem: Problem, path: str) -> Response:
    """Render a problem in the native shape, application/problem+json."""
    body = msgspec.json.encode(problem.members(instance=path))
    return Response(body, problem.kind.status, headers=problem.headers, media_type=PROBLEM_MEDIA_TYPE)


def found_or_404(view: Any, what: str, name: str) -> Any:
    """Return `view`; `Problem` 404 when it is None. `what` and `name` say what was not found."""
    if view is None:
        raise Problem("not_found", f"{what} {name!r} does not exist")
    return view
