"""Pages that say in plain words why a link does not open the portal, and what to do."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from api.http.dialect import Pages
from api.http.middleware.logged_paths import PORTAL_PATH
from api.http.problems import Problem
from api.portal.rendering import html_response

_ASK_AGAIN: Final = "Please ask whoever gave you the link for a new one."
#: What is told about a link, by the status of the answer. No link tells more than that.
_OF_STATUS: Final = {
    403: ("This link is not valid", f"It has expired, was revoked, or is not complete. {_ASK_AGAIN}"),
    422: ("Usage cannot be shown", "There is more of it than a page can hold. Please ask whoever gave you the link."),
    405: ("This is not possible", "The method of the request is not allowed: this page can only be read."),
}
_GONE: Final = (
    "There is nothing to show",
    f"The account that this link was made for does not exist any more. {_ASK_AGAIN}",
)
_NO_SUBSCRIPTION: Final = ("There is no such subscription", "Nothing is shown for the subscription in this address.")
_NO_PERIOD: Final = ("There is no such period", "Nothing is shown for the period in this address.")
#: While a rebuild has not written all rows.
_BEING_WRITTEN: Final = ("Usage cannot be shown at present", "It is being written again. Please try again in a moment.")
_LATER: Final = ("Usage cannot be shown at present", "Please try again in a moment.")


def link_refused() -> Problem:
    """The problem of a link that was tampered with, has expired or was revoked."""
    return Problem("forbidden", _OF_STATUS[403][0])


def too_much() -> Problem:
    """The problem of a customer with more than any answer holds."""
    return Problem("invalid", _OF_STATUS[422][0])


class CustomerGone(Problem):
    """The customer of a link, or this life of it, does not exist any more."""

    def __init__(self) -> None:
        super().__init__("not_found", _GONE[0])


class NoSuchPeriod(Problem):
    """The address names a period that the page does not have."""

    def __init__(self) -> None:
        super().__init__("not_found", _NO_PERIOD[0])


class NoSuchSubscription(Problem):
    """The address names a subscription that the page does not have."""

    def __init__(self) -> None:
        super().__init__("not_found", _NO_SUBSCRIPTION[0])


def message_page(problem: Problem) -> Response:
    """Render a problem as a page that repeats nothing of the request. It holds no data, so any site may frame it."""
    title, text = _told(problem)
    values = {"title": title, "text": text, "way_back": isinstance(problem, NoSuchPeriod | NoSuchSubscription)}
    return html_response("message.html", values, ("*",), problem.kind.status, problem.headers)


def _told(problem: Problem) -> tuple[str, str]:
    """The title and the text. A path that no page has, such as a link with a slash at its end, is no whole link."""
    match problem:
        case CustomerGone():
            return _GONE
        case NoSuchPeriod():
            return _NO_PERIOD
        case NoSuchSubscription():
            return _NO_SUBSCRIPTION
    if problem.kind.code == "rows_being_written":
        return _BEING_WRITTEN
    status = problem.kind.status
    return _OF_STATUS.get(status, _LATER if status >= 500 else _OF_STATUS[403])


PORTAL: Final = Pages(path=PORTAL_PATH, render=message_page)
