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
    404: ("There is nothing to show", f"The account that this link was made for does not exist any more. {_ASK_AGAIN}"),
}
_NO_PERIOD: Final = ("There is no such period", "Nothing is shown for the period in this address.")
#: While a rebuild has not written all rows.
_BEING_WRITTEN: Final = ("Usage cannot be shown at present", "It is being written again. Please try again in a moment.")
_LATER: Final = ("Usage cannot be shown at present", "Please try again in a moment.")


def link_refused() -> Problem:
    """The problem of a link that was tampered with, has expired or was revoked."""
    return Problem("forbidden", _OF_STATUS[403][0])


def customer_gone() -> Problem:
    """The problem of a link whose customer, or this life of it, does not exist any more."""
    return Problem("not_found", _OF_STATUS[404][0])


def too_much() -> Problem:
    """The problem of a customer with more than any answer holds."""
    return Problem("invalid", _OF_STATUS[422][0])


class NoSuchPeriod(Problem):
    """The address names a period that the page does not have."""

    def __init__(self) -> None:
        super().__init__("not_found", _NO_PERIOD[0])


def message_page(problem: Problem) -> Response:
    """Render a problem as a page that repeats nothing of the request. It holds no data, so any site may frame it."""
    status = problem.kind.status
    title, text = _OF_STATUS.get(status, _LATER if status >= 500 else _OF_STATUS[403])
    if isinstance(problem, NoSuchPeriod):
        title, text = _NO_PERIOD
    elif problem.kind.code == "rows_being_written":
        title, text = _BEING_WRITTEN
    values = {"title": title, "text": text, "way_back": isinstance(problem, NoSuchPeriod)}
    return html_response("message.html", values, ("*",), status, problem.headers)


PORTAL: Final = Pages(path=PORTAL_PATH, render=message_page)
