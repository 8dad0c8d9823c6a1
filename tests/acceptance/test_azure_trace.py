"""A real trace, metered with one command, against plain SQL over the file itself."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import duckdb

from tests.engine_fixtures import JsonObject, SettableClock, engine_on, http
from tests.meterfold_process import ROOT, meterfold

MAP = ROOT / "docs" / "start" / "azure-llm-trace.map.yml"
FILE = MAP.with_name("azure-llm-inference-2023-code.csv")
RECORDS = 8_819
NOVEMBER = {"from": "2023-11-01T00:00:00Z", "to": "2023-12-01T00:00:00Z"}

# The rule of the map: the customer of a row is its number in the file, counted from 0, modulo 25. gpt-4 cost
# 30 USD per million tokens of input and 60 of output at that time.
PLAIN_SQL = """
    WITH numbered AS (
        SELECT row_number() OVER () - 1 AS number, *
        FROM read_csv(?, header = true, all_varchar = true, parallel = false)
    )
    SELECT 'customer-' || lpad(CAST(number % 25 AS VARCHAR), 2, '0') AS customer,
           replace(substr("TIMESTAMP", 1, 13), ' ', 'T') || ':00:00.000000Z' AS hour,
           'gpt-4' AS model,
           count(*) AS requests,
           sum(CAST(ContextTokens AS BIGINT)) AS input_tokens,
           sum(CAST(GeneratedTokens AS BIGINT)) AS output_tokens,
           sum(CAST(ContextTokens AS BIGINT) * 30 + CAST(GeneratedTokens AS BIGINT) * 60) AS cost_micros
    FROM numbered GROUP BY ALL ORDER BY ALL"""

Sums = dict[tuple[str, str, str], tuple[int, int, int, Decimal]]


def plain_sums() -> Sums:
    with duckdb.connect() as connection:
        rows = connection.execute(PLAIN_SQL, [str(FILE)]).fetchall()
    return {row[:3]: (row[3], int(row[4]), int(row[5]), Decimal(int(row[6])) / 1_000_000) for row in rows}


def metered_sums(rows: list[JsonObject]) -> Sums:
    return {
        (row["group"]["customer"], row["window_start"], row["group"]["model"]): (
            row["requests"],
            row["input_tokens"],
            row["output_tokens"],
            Decimal(row["cost_usd"]),
        )
        for row in rows
    }


def test_a_real_trace_equals_plain_sql_and_counts_once(tmp_path: Path) -> None:
    expected = plain_sums()
    assert sum(requests for requests, *_ in expected.values()) == RECORDS
    ingest = ("ingest", str(FILE), "--map", str(MAP), "--data", str(tmp_path))
    meterfold(*ingest)
    assert sums_in(tmp_path) == expected
    meterfold(*ingest)
    assert sums_in(tmp_path) == expected
    with engine_on(tmp_path, SettableClock()) as engine, engine.reads.snapshot() as snapshot:
        totals = snapshot.totals()
    assert (totals.counted, totals.duplicate, totals.conflict, totals.rejected) == (RECORDS, RECORDS, 0, 0)


def sums_in(folder: Path) -> Sums:
    with engine_on(folder, SettableClock()) as engine, http(engine) as api:
        asked = {**NOVEMBER, "window": "hour", "timezone": "UTC", "group_by": "customer,model"}
        return metered_sums(api.get("/v1/usage", **asked)["data"])
