"""A program that uses a generated client to take a customer from its creation to its deletion.

Arguments: the folder that holds the client as the package `generated`, the engine's URL, a key, the header that it
goes in. Prints what each step answered as JSON, by its name.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any

import httpx

CUSTOMER = "walker"
DAY = "2026-03-01"
USAGE = {
    "specversion": "1.0",
    "id": "walk-1",
    "source": "walk",
    "type": "llm.request",
    "subject": CUSTOMER,
    "time": f"{DAY}T12:00:00Z",
    "data": {"model": "swift", "input_tokens": 10, "output_tokens": 5, "cost_usd": "0.25"},
}


def main(folder: str, url: str, key: str, header: str) -> None:
    sys.path.insert(0, folder)
    client = import_module("generated").AuthenticatedClient(
        base_url=url, token=key, auth_header_name=header, raise_on_unexpected_status=True
    )
    models = import_module("generated.models")
    answers: dict[str, Any] = {}

    def step(name: str, operation: str, **arguments: Any) -> None:
        module = import_module(f"generated.api.customer_management.{operation}")
        answer = module.sync_detailed(client=client, **arguments)
        parsed = answer.parsed
        plain = [one.to_dict() for one in parsed] if isinstance(parsed, list) else parsed.to_dict()
        answers[name] = {"status": answer.status_code, "parsed": plain}

    ids = {"user_ids": [CUSTOMER]}
    new = models.NewCustomerRequest(user_id=CUSTOMER, alias="Walker Ltd", max_budget=5.0, spend=1.0)
    step("new", "new_end_user_customer_new_post", body=new)
    step("info", "end_user_info_customer_info_get", end_user_id=CUSTOMER)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/cloudevents+json"}
    httpx.post(f"{url}/v1/events", content=json.dumps(USAGE), headers=headers).raise_for_status()
    step("spent", "end_user_info_customer_info_get", end_user_id=CUSTOMER)
    activity = "get_customer_daily_activity_customer_daily_activity_get"
    step("usage", activity, end_user_ids=CUSTOMER, start_date=DAY, end_date=DAY)
    step("update", "update_end_user_customer_update_post", body=models.UpdateCustomerRequest(CUSTOMER, max_budget=9.0))
    step("block", "block_user_customer_block_post", body=models.BlockUsers.from_dict(ids))
    step("unblock", "unblock_user_customer_unblock_post", body=models.BlockUsers.from_dict(ids))
    step("list", "list_end_user_customer_list_get", page=1, page_size=10)
    step("delete", "delete_end_user_customer_delete_post", body=models.DeleteCustomerRequest.from_dict(ids))
    sys.stdout.write(json.dumps(answers))


main(*sys.argv[1:])
