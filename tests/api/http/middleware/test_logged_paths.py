"""Paths in the log hold no token of a link to the portal, however the path before it is written."""

from __future__ import annotations

import pytest

from api.http.middleware.logged_paths import logged_path


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        ("/portal/token.signature", "/portal/..."),
        ("/PORTAL/token.signature", "/PORTAL/..."),
        ("/Portal/token.signature/more", "/Portal/..."),
        ("/prefix/portal/token.signature", "/prefix/portal/..."),
        ("/prefix/PORTAL//token.signature", "/prefix/PORTAL/..."),
        ("/my-portal/token.signature", "/my-portal/..."),
        ("portal/token.signature", "portal/..."),
        ("/portal%2Ftoken.signature", "/portal%2F..."),
        ("/portal\\token.signature", "/portal\\..."),
    ],
)
def test_what_follows_the_path_of_the_portal_is_left_out(path: str, logged: str) -> None:
    assert logged_path(path) == logged


@pytest.mark.parametrize("path", ["/v1/customers/ann/portal-links", "/portal", "/v1/usage", "/"])
def test_other_paths_are_logged_as_they_are(path: str) -> None:
    assert logged_path(path) == path
