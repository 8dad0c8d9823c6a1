"""Links and pages of one engine; every test uses customers of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.engine_fixtures import Api, customer_path


@dataclass(frozen=True)
class Portal:
    """The portal as whoever has a link sees it: no key is sent."""

    api: Api

    def link(self, customer: str, **given: Any) -> str:
        """The path of a new link."""
        made = self.api.post(customer_path(customer, "/portal-links"), given or None)
        return urlsplit(str(made["url"])).path

    def page(self, path: str, status: int = 200, query: str = "") -> str:
        """The page that a path answers with."""
        answer = self.api.client.get(path + query)
        assert answer.status_code == status, answer.text[:2000]
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        return answer.text

    def opened(self, customer: str, query: str = "") -> str:
        """The page of a customer by a new link."""
        return self.page(self.link(customer), query=query)


@pytest.fixture
def portal(api: Api) -> Portal:
    return Portal(api)
