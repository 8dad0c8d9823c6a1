"""A payment provider that hangs keeps nobody waiting but those who ask for a link, and of those only so many."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from tests.fakes.stripe_server import SECRET_KEY, Answer, stripe_server
from tests.meterfold_process import ADMIN_KEY, serving
from tests.waiting import eventually

WAITING_MAX = 4
TIMEOUT_SECONDS = 10
#: Requests of other kinds that are answered before the first one that waits is given up.
OTHERS = 20
HEADERS = {"Authorization": f"Bearer {ADMIN_KEY}"}


def test_other_requests_go_on_while_the_provider_hangs(tmp_path: Path) -> None:
    with stripe_server() as stripe, ThreadPoolExecutor(WAITING_MAX) as threads:
        settings = {
            "METERFOLD_STRIPE_SECRET_KEY": SECRET_KEY,
            "METERFOLD_STRIPE_API_BASE": stripe.url,
            "METERFOLD_PAYMENT_PROVIDER_TIMEOUT_SECONDS": str(TIMEOUT_SECONDS),
            "METERFOLD_PAYMENT_PROVIDER_REQUESTS_MAX": str(WAITING_MAX),
        }
        with (
            serving(tmp_path / "data", tmp_path / "messages", settings) as server,
            httpx.Client(base_url=server.url, headers=HEADERS, timeout=60) as client,
        ):

            def asked() -> Any:
                begun = time.monotonic()
                answer = client.post("/v1/customers/ada/checkout-links")
                return answer.status_code, answer.json()["type"], time.monotonic() - begun

            ada = {"id": "ada", "payment_provider": {"name": "stripe", "customer_id": "cus_9"}}
            assert client.post("/v1/customers", json=ada).status_code == 201
            stripe.reply(*[Answer(200, {}, hangs=True)] * WAITING_MAX)
            waiting = [threads.submit(asked) for _ in range(WAITING_MAX)]
            assert eventually(lambda: len(stripe.received) == WAITING_MAX, TIMEOUT_SECONDS)

            status, problem, _ = asked()
            assert (status, problem) == (503, "/problems/payment_provider_busy")
            for number in range(OTHERS):
                event = {
                    "specversion": "1.0",
                    "id": f"{number}",
                    "source": "s",
                    "type": "llm.request",
                    "subject": "ada",
                }
                given = {**event, "data": {"provider": "acme", "model": "swift", "input_tokens": 1}}
                sent = client.post("/v1/events", json=given, headers={"Content-Type": "application/cloudevents+json"})
                assert sent.status_code == 200
                assert client.get("/v1/customers/ada/access").status_code == 200
            assert [one.done() for one in waiting] == [False] * WAITING_MAX

            given_up = [one.result() for one in waiting]
            assert {(status, problem) for status, problem, _ in given_up} == {
                (503, "/problems/payment_provider_unavailable")
            }
            assert max(seconds for *_, seconds in given_up) < TIMEOUT_SECONDS + 5
            stripe.released.set()
            assert client.post("/v1/customers/ada/checkout-links").status_code == 201
        messages = (tmp_path / "messages").read_text()
    assert SECRET_KEY not in messages
    assert "it did not answer within 10 s" in messages
