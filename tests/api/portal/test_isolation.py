"""Whatever a customer is called and whatever its events say, its page is HTML of ours and holds nothing of others."""

from __future__ import annotations

from itertools import count
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumers.embedded.engine import EmbeddedEngine
from domain.scope import Scope
from tests.api.portal.conftest import Portal
from tests.api.portal.page_texts import tags_of, texts_of
from tests.engine_fixtures import Api, SettableClock, customer_path, key_for, llm_request

HOSTILE = (
    "<script>alert(1)</script>",
    "'\"><img src=x onerror=alert(1)>",
    "</style><script>alert(1)</script>",
    "{{ 7 * 7 }}",
    "\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe",
    "a\nb\x1b[31m",
    "\N{ZERO WIDTH SPACE}",
    "x" * 1_000,
    "../../etc/passwd",
    "?period=1&plan=2#top",
)
NAMES = st.sampled_from(HOSTILE) | st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=60
)
IDS = NAMES.filter(lambda one: one not in (".", ".."))
ONES = count()


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_ids_names_and_models_are_shown_as_text(
    api: Api, portal: Portal, clock: SettableClock, hostile: str
) -> None:
    api.post("/v1/customers", {"id": hostile, "name": hostile[:250] + "!"})
    api.deliver(
        [llm_request(f"hostile {hostile}", hostile, clock(), model=hostile[:250], provider=hostile[:250], cost_usd="1")]
    )
    page = portal.opened(hostile)
    plain = portal.opened(hostile, "?period=2026-03-10")
    assert {"script", "img"} & {*tags_of(page), *tags_of(plain)} == set()
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in page
    assert "\x1b" not in page
    assert max(len(text) for text in texts_of(page)) <= 200
    assert "49" not in texts_of(page)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(one=IDS, other=IDS, name=NAMES)
def test_the_page_of_a_customer_holds_nothing_of_another_whatever_is_in_the_address(
    api: Api, engine: EmbeddedEngine, portal: Portal, clock: SettableClock, one: str, other: str, name: str
) -> None:
    number = next(ONES)
    mine, others = f"{number} {one}"[:1_000], f"{number} other {other}"[:1_000]
    marks = (f"model-of-other-{number}", f"plan-of-other-{number}", f"name-of-other-{number}")
    api.post("/v1/customers", {"id": mine, "name": name[:255]})
    api.post("/v1/customers", {"id": others, "name": marks[2]})
    api.post("/v1/plans", {"code": marks[1], "interval": "monthly", "currency": "USD", "charges": []})
    api.post("/v1/subscriptions", {"id": f"sub {number}", "customer": others, "plan": marks[1]})
    api.deliver([llm_request(f"other {number}", others, clock(), model=marks[0], cost_usd="1")])
    elsewhere = Api(api.client, key_for(engine, Scope("elsewhere", "prod")))
    elsewhere.post("/v1/customers", {"id": mine, "name": marks[2]})
    path = portal.link(mine)
    for query in (
        "",
        f"?customer={quote(others)}",
        f"?plan=sub%20{number}",
        f"?id={quote(others)}&tenant=elsewhere",
        f"/../{quote(others, safe='')}",
        f"?plan={quote(others)}",
    ):
        answer = api.client.get(path + query)
        assert answer.status_code in (200, 403, 404), query
        assert [mark for mark in marks if mark in answer.text] == []
    of_other = api.client.get(portal.link(others))
    assert marks[2] in of_other.text
    assert elsewhere.send("POST", customer_path(others, "/portal-links"), None).status_code == 404
