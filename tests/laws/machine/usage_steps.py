"""Steps about usage and prices: deliveries, corrections of one event, own prices."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from tests.engine_fixtures import JsonObject
from tests.laws.machine.facts import Amended, Corrected, Delivered, Identity, PriceSet, Sent
from tests.laws.machine.steps import BACK, CUSTOMERS, IDENTITIES, MODELS, Steps, hours, one_of

SENT: Final = st.builds(
    lambda identity, *rest: (*identity, *rest),
    one_of(*IDENTITIES),
    one_of(*CUSTOMERS),
    st.none() | BACK,
    one_of(*MODELS),
    one_of(1, 20, 300),
    one_of(0, 7),
    one_of(None, None, Decimal(0), Decimal("2.5"), Decimal("0.000000000001")),
)
CHANGES: Final = st.fixed_dictionaries(
    {},
    optional={
        "customer": one_of(*CUSTOMERS),
        "time": hours(0, 2, 24 * 4, 24 * 33),
        "model": one_of(*MODELS),
        "input_tokens": one_of(1, 50),
        "cost_usd": one_of(None, Decimal("4"), Decimal("2.5")),
    },
).filter(bool)


class UsageSteps(Steps):
    @initialize(drawn=st.lists(SENT, min_size=1, max_size=4))
    def begin(self, drawn: list[tuple[Any, ...]]) -> None:
        self.send(drawn)

    @rule(drawn=st.lists(SENT, min_size=1, max_size=4))
    def send(self, drawn: list[tuple[Any, ...]]) -> None:
        self.deliver(
            [
                Sent(source, number, customer, None if back is None else self.now - back, *rest)
                for source, number, customer, back, *rest in drawn
            ]
        )

    @rule(which=st.integers(0, 99))
    def send_again(self, which: int) -> None:
        """An event as it was sent or as it is now."""
        sent = [one.sent for one in self.facts if isinstance(one, Delivered)]
        sent += [one.sent for one in self.known.events]
        self.deliver([sent[which % len(sent)]])

    @rule(identity=one_of(*IDENTITIES), is_void=one_of(True, True, False))
    def correct(self, identity: Identity, is_void: bool) -> None:
        story = self.story(identity)
        if not is_void and story.event() is None:
            return
        source, number = identity
        path = f"/v1/events/{'void' if is_void else 'unvoid'}"
        shown = self.post(path, {"source": source, "id": number}, 200)
        assert (shown["voided"], shown["waits_for_event"]) == (is_void, story.holder is None)
        self.note(Corrected, identity=identity, is_void=is_void)

    @rule(identity=one_of(*IDENTITIES), drawn=CHANGES)
    def amend(self, identity: Identity, drawn: dict[str, Any]) -> None:
        story = self.story(identity)
        found = story.holder
        if found is None and story.outcomes:  # a reverted backfill had loaded it
            return
        changes = {name: self.now - value if name == "time" else value for name, value in drawn.items()}
        data = {
            name: str(value) if isinstance(value, Decimal) else value
            for name, value in changes.items()
            if name not in ("customer", "time")
        }
        body = {"source": identity[0], "id": identity[1], **({"data": data} if data else {})}
        body |= {"customer": changes["customer"]} if "customer" in changes else {}
        body |= {"time": changes["time"].isoformat()} if "time" in changes else {}
        if found is None:
            self.office.api.refused("POST", "/v1/events/amend", 404, body)
            return
        if changes.get("time") == found.time and found.sent.time is None:
            del changes["time"]
        self.post("/v1/events/amend", body, 200)
        if msgspec.structs.replace(found.sent, **changes) != found.sent:
            self.note(Amended, identity=identity, changes=changes)

    @rule(
        model=one_of(*MODELS),
        price=one_of(("300000", "1"), ("7", "0"), ("0.000001", "250000")),
        since=st.none() | hours(0, 24 * 3, 24 * 20, -24),
    )
    def set_price(self, model: str, price: tuple[str, str], since: timedelta | None) -> None:
        body: JsonObject = {"provider": "acme", "model": model}
        body["unit_prices"] = dict(zip(("input", "output"), price, strict=True))
        effective = None if since is None else self.now - since
        body |= {} if effective is None else {"effective_from": effective.isoformat()}
        self.post("/v1/prices", body, 201)
        input_usd, output_usd = map(Decimal, price)
        self.note(PriceSet, model=model, input_usd=input_usd, output_usd=output_usd, effective_from=effective)
