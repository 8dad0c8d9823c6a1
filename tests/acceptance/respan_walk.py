"""A program that uses the published client of Respan to change, show, list and delete a customer.

Arguments: the engine's URL, a key. Prints what each step answered as JSON, by its name. Ids are given as they are, as
the client does not escape them.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Any

import httpx
from respan import RespanClient
from respan.core.api_error import ApiError

CUSTOMER = "acme/eu/user 🙂"
USAGE = {
    "specversion": "1.0",
    "id": "walk-1",
    "source": "walk",
    "type": "llm.request",
    "subject": CUSTOMER,
    "data": {"model": "swift", "input_tokens": 10, "output_tokens": 5, "cost_usd": "0.25"},
}


def main(url: str, key: str) -> None:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/cloudevents+json"}
    for number in (1, 2):
        event = {**USAGE, "id": f"walk-{number}", "subject": CUSTOMER if number == 1 else "other"}
        httpx.post(f"{url}/v1/events", content=json.dumps(event), headers=headers).raise_for_status()
    client = RespanClient(base_url=f"{url}/respan", authorization=f"Bearer {key}")
    answers: dict[str, Any] = {}

    def step(name: str, call: Any) -> None:
        try:
            answers[name] = call()
        except ApiError as error:
            answers[name] = {"error": type(error).__name__, "status": error.status_code, "body": error.body}

    def plain(model: Any) -> Any:
        return json.loads(model.json())

    start = datetime(2026, 1, 1, tzinfo=UTC)
    step("retrieve", lambda: plain(client.users.retrieve_user(CUSTOMER)))
    step("update", lambda: plain(client.users.update_user(
        CUSTOMER, name="Ada", email="ada@acme.dev", metadata={"plan": "pro"}, period_budget=100,
        budget_duration="monthly", total_budget=1000.5, period_start=start, markup_percentage=20)))  # fmt: skip
    step("clear", lambda: plain(client.users.update_user(CUSTOMER, total_budget=None)))
    filters = {"email": {"operator": "endswith", "value": ["@acme.dev"]}}
    step("filtered", lambda: [plain(one) for one in client.users.list_customers(filters=filters)])
    step("all", lambda: [
        one.customer_identifier
        for one in client.users.list_customers(page_size=1, sort_by="customer_identifier", environment="prod")
    ])  # fmt: skip
    step("delete", lambda: client.users.delete_user(CUSTOMER))
    step("gone", lambda: plain(client.users.retrieve_user(CUSTOMER)))
    step("refused", lambda: plain(client.users.update_user("other", period_budget=-1)))
    stranger = RespanClient(base_url=f"{url}/respan", authorization="Bearer sk-unknown")
    step("stranger", lambda: plain(stranger.users.retrieve_user("other")))
    sys.stdout.write(json.dumps(answers))


if __name__ == "__main__":
    main(*sys.argv[1:])
