"""Law 8: the five APIs say the same of one month, and what a plain sum over the month says.

A month is drawn and told to a fresh tenant, by HTTP and by Kafka: usage of customers with hostile ids, some of it late
and some of it ahead of time, facts in any order within a life, deletions and new lives, markups, zones with clock
changes. Then each quantity is asked of every API that knows it, in the words and with the escapes of its clients. What
an API by its contract says otherwise is compared in its own form, made from the exact sum:

1. LiteLLM and Respan show money as JSON numbers: the float nearest to the exact sum.
2. PromptShuttle shows credits: the exact sum rounded once, half to even, and the same money as a float.
3. PromptShuttle's windows end now; usage ahead of time is in no window yet. Windows and lists of Respan, and LiteLLM's
   `spend`, reach into the present life alone; LiteLLM's days and native sums of a span are of all lives.
4. Lago shows what a charge costs: of one dollar for each dollar of cost, the exact raw sum rounded once, half up, to
   the cent.

The clock stands still, and no two facts of one life are effective at one instant, as order of arrival decides those.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.embedded.engine import EmbeddedEngine
from consumers.kafka.appending.appender import CommandMessage, PartitionAppender, PartitionBatch, UsageRun
from domain.scope import Scope
from tests.consumers.kafka.appending.partition_polls import SOURCE, appender_on, arrival_us, command, poll
from tests.engine_fixtures import Api, SettableClock, customer_path, engine_on, http, key_for
from tests.laws.four_voices.lago_voice import of_open_month
from tests.laws.four_voices.months import NOW, Batch, Month, Said, months
from tests.laws.four_voices.voices import differing, of_days, of_everybody, of_one, of_requests
from tests.laws.laboratory import examples

LOGS: Final = "/respan/api/request-logs/create/"


@dataclass(frozen=True)
class Office:
    """An engine that tells tenant after tenant a month."""

    engine: EmbeddedEngine
    api: Api
    kafka: PartitionAppender
    _tenants: Iterator[int] = field(default_factory=count)
    _offsets: Iterator[int] = field(default_factory=count)

    def tenant_told(self, month: Month) -> Api:
        scope = Scope(f"tenant-{next(self._tenants)}", "prod")
        api = replace(self.api, key=key_for(self.engine, scope))
        for step in month.told:
            if isinstance(step, Batch):
                self._send(api, scope, step)
            elif step.by_kafka:
                self._tell_by_kafka(command(step.kind, step.customer, "", scope, **step.data))
            else:
                tell_by_http(api, step)
        return api

    def _send(self, api: Api, scope: Scope, batch: Batch) -> None:
        if not batch.by_kafka:
            answer = api.deliver(list(batch.events))["counts"]
            assert answer["counted"] + answer["duplicate"] == len(batch.events), answer
            return
        items = [json.dumps(event).encode() for event in batch.events]
        offsets = [next(self._offsets) for _ in items]
        run = UsageRun(scope, items, offsets, [arrival_us(offset) for offset in offsets])
        self.kafka.append(PartitionBatch(SOURCE, offsets[0], offsets[-1] + 1, [run]))
        assert self.engine.wait_folded(self.engine.log.head_position(), 60)

    def _tell_by_kafka(self, sent: CommandMessage) -> None:
        offset = next(self._offsets)
        sent.id = f"command {offset}"
        (outcome,) = self.kafka.append(poll([sent], offset)).commands
        assert (outcome.outcome, outcome.reason) == ("honoured", None), sent
        assert self.engine.wait_folded(self.engine.log.head_position(), 60)


def tell_by_http(api: Api, said: Said) -> None:
    path, data = customer_path(said.customer), said.data
    match said.kind:
        case "customer.create":
            api.post("/v1/customers", {"id": said.customer, **data})
        case "customer.delete":
            api.delete(path)
        case "log":
            api.send("POST", LOGS, 200, json={"customer_identifier": said.customer, **data})
        case "customer.update":
            api.patch(path, data)
        case kind:
            api.patch(path, {"active": kind == "customer.reactivate", **data})


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with engine_on(tmp_path_factory.mktemp("data"), SettableClock(NOW)) as engine, http(engine) as api:
        yield Office(engine, api, appender_on(engine.log, engine.keys, NOW))


@examples(16)
@given(data=st.data(), month=months())
def test_every_api_says_of_a_month_what_plain_sums_say(office: Office, data: st.DataObject, month: Month) -> None:
    api, plain, existing = office.tenant_told(month), month.plain, month.plain.existing()
    said = of_everybody(api, plain) | data.draw(st.sampled_from((of_days, of_requests)))(api, plain)
    if existing:
        one = data.draw(st.sampled_from(existing))
        said |= of_one(api, plain, one) | of_open_month(api, plain, one)
    assert differing(said) == {}
