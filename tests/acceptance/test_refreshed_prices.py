"""An engine that starts with a newer price library lists its prices; what was counted before keeps its cost."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec

from consumers.bootstrap import open_engine
from consumers.prices.library import PRICE_LIBRARY
from consumers.settings import Settings
from domain.event import Provenance
from domain.log.records import NewRecord
from domain.prices.schedule import PriceVersion, UnitPrices
from domain.streams import listed_price_stream
from tests.engine_fixtures import Api, SettableClock, engine_on, http, llm_request

BEFORE = datetime(2026, 11, 19, 12, tzinfo=UTC)
AFTER = datetime(2026, 11, 20, 12, tzinfo=UTC)
MODEL = {"provider": "deepseek", "model": "deepseek-v4-flash"}


def older_listing() -> NewRecord:
    """The price of the model as an earlier release of engine and library recorded it."""
    stream = listed_price_stream(MODEL["provider"], MODEL["model"])
    versions = [
        PriceVersion(None, UnitPrices(Decimal("0.14"), Decimal("0.28"))),
        PriceVersion(datetime(2026, 8, 17, tzinfo=UTC), UnitPrices(Decimal("0.22"), Decimal("0.66"))),
    ]
    event = {
        **MODEL,
        "stream": stream,
        "version": 1,
        "recorded_at": BEFORE,
        "effective_at": BEFORE,
        "provenance": Provenance("engine"),
        "versions": versions,
        "library": "genai-prices 0.0.1",
        "matched": "deepseek/deepseek-v4-flash",
    }
    return NewRecord(stream, 1, "price.listed", msgspec.msgpack.encode((1, event)))


def deliver(api: Api, event_id: str, at: datetime) -> None:
    api.deliver([llm_request(event_id, time=at, **MODEL, input_tokens=1_000_000, output_tokens=1_000_000)])


def cost(api: Api, event_id: str) -> str:
    found: str = api.get("/v1/events/one", source="gateway", id=event_id)["event"]["cost_usd"]
    return found


def test_a_newer_library_prices_what_comes_after_it(tmp_path: Path) -> None:
    clock = SettableClock(BEFORE)
    with engine_on(tmp_path, clock) as engine:
        engine.log.append([older_listing()])
        with http(engine) as api:
            deliver(api, "before", BEFORE)
            assert cost(api, "before") == "0.88"
    clock.set(AFTER)
    settings = Settings(data_dir=tmp_path, intake_process=False, duckdb_threads=1, http_write_wait_seconds_max=60.0)
    with open_engine(settings, clock=clock, serving=True) as engine, http(engine) as api:
        deliver(api, "after", AFTER)
        assert (cost(api, "before"), cost(api, "after")) == ("0.88", "0.75")
        assert [one["library"] for one in api.pages("/v1/prices", **MODEL)] == ["genai-prices 0.0.1", PRICE_LIBRARY]
        explained = api.get("/v1/events/one", source="gateway", id="after")["cost"]
        assert explained["price"]["library"] == PRICE_LIBRARY
        assert explained["unit_prices"]["input"] == "0.15"
        assert explained["applied"]["rates"]["output_tokens"] == {"price": "0.6", "per": 1_000_000}


def test_prices_are_refreshed_on_request(tmp_path: Path) -> None:
    with engine_on(tmp_path, SettableClock(AFTER)) as engine:
        engine.log.append([older_listing()])
        with http(engine) as api:
            deliver(api, "before", AFTER)
            told = api.post("/v1/prices/refresh", {"dry_run": True}, status=200)
            assert (told["dry_run"], told["checked"], told["changed"], told["position"]) == (True, 1, 1, None)
            (change,) = told["changes"]
            assert (change["provider"], change["model"], change["matched"]) == (
                "deepseek",
                "deepseek-v4-flash",
                "deepseek/deepseek-v4-flash",
            )
            assert [change[which]["library"] for which in ("before", "after")] == ["genai-prices 0.0.1", PRICE_LIBRARY]
            assert change["before"]["versions"][1]["rates"]["output_tokens"]["price"] == "0.66"
            assert change["after"]["versions"][3]["hours"] == {"start": "01:00:00", "end": "04:00:00"}
            done = api.post("/v1/prices/refresh", {}, status=200)
            assert (done["changes"], done["position"]) == (told["changes"], engine.log.head_position())
            assert api.post("/v1/prices/refresh", {}, status=200)["changed"] == 0
            deliver(api, "after", AFTER)
            assert (cost(api, "before"), cost(api, "after")) == ("0.88", "0.75")
