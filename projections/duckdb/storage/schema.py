"""Schema of the DuckDB read store. Instants are UTC in naive TIMESTAMP; cost is USD with twelve decimals.

Usage rows are versioned. The versions valid at log position P are those with
`counted_at <= P AND (closed_at IS NULL OR closed_at > P)`. A void, a restore, an amendment, or a price that becomes
known later closes one version of a row or opens another; no number is ever overwritten.

Surrogate keys (`scope_key`, `customer_key`, `kind_key`) are assigned in the order in which the fold first meets their
scope, customer or series. They never leave the store, and no logical view holds one. A series (type, provider, model)
is stored as a row of `kinds`; a compacted generation has the state `settled`.
"""

from __future__ import annotations

from typing import Final

#: 12 has tables of outcomes beside `stored_outcomes`, and `members` and `cost_unknown_events` of correction runs, 11
#: `cost_unknown_events` of backfills, 10 backfills, versions of outcomes, corrections by filter and replacements, 9
#: discounts, prices of customers, re-pricings and amendments of rows, 8 units and requests of rows, `unit_days`, and
#: `prices` of prices, 7 `root_requests` of days, 6 one table of facts; 5 added `patched` and `if_known` of facts, 4
#: `progress.days_settled_to`. 3 has the tables of 2, folded anew because the compaction of 2 could lose rows.
SCHEMA_VERSION: Final = 12

ROW_COLUMNS: Final = """
    scope_key INTEGER NOT NULL,
    customer_key BIGINT NOT NULL,
    time TIMESTAMP NOT NULL,
    locator BIGINT NOT NULL,           -- position << 16 | row of the event in the log
    kind_key INTEGER NOT NULL,         -- type, provider, model
    status VARCHAR,
    input_tokens BIGINT NOT NULL,
    cached_input_tokens BIGINT NOT NULL,
    cache_write_tokens BIGINT NOT NULL,
    output_tokens BIGINT NOT NULL,
    reasoning_tokens BIGINT NOT NULL,
    cost_usd DECIMAL(38, 12),          -- raw, before markup; NULL: no cost, or unknown
    cost_origin VARCHAR NOT NULL,      -- producer | price | unknown | none
    price_position BIGINT,             -- log position of the price that made the cost
    discount_positions BIGINT[],       -- log positions of the discounts on that price
    repriced_at BIGINT,                -- log position of the re-pricing that gave the cost
    counted_at BIGINT NOT NULL,        -- log position from which this version of the row holds
    closed_at BIGINT,                  -- log position from which it holds no more
    recorded_at TIMESTAMP NOT NULL,
    content UBIGINT NOT NULL,
    source VARCHAR NOT NULL,
    id VARCHAR NOT NULL,
    subscription VARCHAR,
    parent_request VARCHAR,
    hold_id VARCHAR,
    latency_us BIGINT,
    ttft_us BIGINT,
    tags VARCHAR[],
    properties VARCHAR,                -- JSON object text
    extensions VARCHAR,                -- JSON object text
    unit_names VARCHAR[],              -- units without a column of their own, with their quantities below
    unit_quantities DECIMAL(38, 12)[],
    requests BIGINT,                   -- how many requests the event stands for; NULL: one
    quantities_unknown BOOLEAN,        -- true: nothing was told of what it used; else NULL
    price_context VARCHAR              -- JSON object text of the members that choose a price
"""

# Signed deltas per customer, UTC day and series; the usage of a day is their sum.
DAY_COLUMNS: Final = """
scope_key INTEGER NOT NULL, customer_key BIGINT NOT NULL, day DATE NOT NULL, kind_key INTEGER NOT NULL,
events BIGINT NOT NULL, input_tokens HUGEINT NOT NULL, cached_input_tokens HUGEINT NOT NULL,
cache_write_tokens HUGEINT NOT NULL, output_tokens HUGEINT NOT NULL, reasoning_tokens HUGEINT NOT NULL,
cost_usd DECIMAL(38, 12) NOT NULL, cost_unknown_events BIGINT NOT NULL,
root_requests BIGINT NOT NULL,      -- requests of events without a parent
first_time TIMESTAMP,               -- least and greatest event time that this adds; NULL when it takes away
last_time TIMESTAMP,
taken_events BIGINT NOT NULL        -- events that this takes away; without any, the two times are those of what holds
"""

#: Versions of the outcome of an event that is not counted, in effect from `decided_at` until `closed_at`.
#: `first_locator`: the counted event with the same identity.
OUTCOME_COLUMNS: Final = """
locator BIGINT NOT NULL, scope_key INTEGER NOT NULL, source VARCHAR, id VARCHAR, customer_id VARCHAR, type VARCHAR,
outcome VARCHAR NOT NULL, reason VARCHAR, detail VARCHAR, first_locator BIGINT, content UBIGINT,
recorded_at TIMESTAMP NOT NULL, stream VARCHAR NOT NULL, raw BLOB, decided_at BIGINT NOT NULL, closed_at BIGINT
"""

# Signed deltas of every unit without a column of its own; their sum is what rows hold.
UNIT_COLUMNS: Final = """
scope_key INTEGER NOT NULL, customer_key BIGINT NOT NULL, day DATE NOT NULL, kind_key INTEGER NOT NULL,
unit VARCHAR NOT NULL, quantity DECIMAL(38, 12) NOT NULL
"""


def root_requests(rows: str = "", where: str = "true") -> str:
    """Return the SQL sum of the requests of usage rows without a parent; `rows` is their alias with a point."""
    return f"coalesce(sum(coalesce({rows}requests, 1)) FILTER ({rows}parent_request IS NULL AND {where}), 0)::BIGINT"


#: What `amendments.changed` says where an event got another customer, and no member of what was sent changed.
NOTHING_CHANGED: Final = "[]"

TABLES: Final[tuple[str, ...]] = (
    # One row: the position of the fold. recorded_at is the running maximum over all records so far.
    # days_settled_to: the compacted generations of days hold exactly the deltas up to that position.
    """CREATE TABLE progress (
        schema_version INTEGER NOT NULL, log_id VARCHAR NOT NULL,
        position BIGINT NOT NULL, recorded_at TIMESTAMP, running_hash BLOB NOT NULL,
        days_settled_to BIGINT NOT NULL)""",
    # Every record of the log: its effective recorded time (running maximum), and the outcome counts of a usage batch.
    """CREATE TABLE log_records (
        position BIGINT NOT NULL, recorded_at TIMESTAMP NOT NULL, running_hash BLOB NOT NULL, topic VARCHAR NOT NULL,
        scope_key INTEGER, stream VARCHAR, received INTEGER NOT NULL, counted INTEGER NOT NULL, duplicate INTEGER NOT
        NULL,
        conflict INTEGER NOT NULL, rejected INTEGER NOT NULL, withdrawn INTEGER NOT NULL)""",
    """CREATE TABLE scopes (scope_key INTEGER NOT NULL, tenant VARCHAR NOT NULL, environment VARCHAR NOT NULL)""",
    """CREATE TABLE kinds (
        kind_key INTEGER NOT NULL, type VARCHAR NOT NULL, provider VARCHAR, model VARCHAR)""",
    # Every customer since its first usage or lifecycle event; deleted ones stay.
    """CREATE TABLE customers (
        customer_key BIGINT PRIMARY KEY, scope_key INTEGER NOT NULL, customer_id VARCHAR NOT NULL,
        first_position BIGINT NOT NULL)""",
    # Lifecycle facts of every subject: of customers by key, of all others by id. Personal fields are stored decrypted
    # (null once their key is destroyed).
    """CREATE TABLE facts (
        subject VARCHAR NOT NULL, scope_key INTEGER NOT NULL, id VARCHAR, customer_key BIGINT,
        position BIGINT NOT NULL, effective_at TIMESTAMP NOT NULL, recorded_at TIMESTAMP NOT NULL,
        kind VARCHAR NOT NULL, fields VARCHAR NOT NULL, actor VARCHAR NOT NULL, dialect VARCHAR NOT NULL,
        reason VARCHAR, patched VARCHAR[] NOT NULL, if_known BOOLEAN NOT NULL)""",
    # `scopes`: the text of `permissions.py`.
    """CREATE TABLE api_keys (
        key_id VARCHAR NOT NULL, scope_key INTEGER NOT NULL, scopes VARCHAR NOT NULL, prefix VARCHAR NOT NULL,
        secret_hash VARCHAR NOT NULL, name VARCHAR, issued_at TIMESTAMP NOT NULL, issued_position BIGINT NOT NULL,
        revoked_at TIMESTAMP)""",
    # scope_key NULL: a list price, for every scope. `prices` is the JSON text of a PriceList. Prices and discounts name
    # customers by id, since these need not be known. life_began_at NULL: the first life of the customer.
    """CREATE TABLE prices (
        position BIGINT NOT NULL, scope_key INTEGER, provider VARCHAR NOT NULL, model VARCHAR NOT NULL,
        prices VARCHAR NOT NULL, library VARCHAR, recorded_at TIMESTAMP NOT NULL, actor VARCHAR NOT NULL,
        customer_id VARCHAR, life_began_at TIMESTAMP)""",
    # Discounts on the model named, or on every model.
    """CREATE TABLE discounts (
        position BIGINT NOT NULL, scope_key INTEGER NOT NULL, customer_id VARCHAR, life_began_at TIMESTAMP,
        provider VARCHAR, model VARCHAR, percentage DECIMAL(9, 6) NOT NULL, effective_from TIMESTAMP,
        recorded_at TIMESTAMP NOT NULL, actor VARCHAR NOT NULL)""",
    """CREATE TABLE corrections (
        scope_key INTEGER NOT NULL, source VARCHAR NOT NULL, id VARCHAR NOT NULL, kind VARCHAR NOT NULL,
        position BIGINT NOT NULL, recorded_at TIMESTAMP NOT NULL, actor VARCHAR NOT NULL, reason VARCHAR)""",
    # Every amendment: the row that it opened, the customer whose row it closed, and JSON text of what changed; for a
    # replacement the locator of the delivery that the event now equals.
    """CREATE TABLE amendments (
        scope_key INTEGER NOT NULL, locator BIGINT NOT NULL, position BIGINT NOT NULL, customer_key BIGINT NOT NULL,
        customer_key_before BIGINT NOT NULL, time TIMESTAMP NOT NULL, content UBIGINT NOT NULL,
        changed VARCHAR NOT NULL, recorded_at TIMESTAMP NOT NULL)""",
    """CREATE TABLE replacements (
        scope_key INTEGER NOT NULL, position BIGINT NOT NULL, recorded_at TIMESTAMP NOT NULL, actor VARCHAR NOT NULL,
        reason VARCHAR, events BIGINT NOT NULL)""",
    # Every event of a correction run; `filter` is the JSON text of a CorrectedEvents, `members` that of the SetMembers
    # of one that amends. Of a commit or revert, `events` were voided, became valid again or were amended, and
    # `difference_usd` is what the costs of valid events grew by.
    """CREATE TABLE correction_runs (
        scope_key INTEGER NOT NULL, name VARCHAR NOT NULL, kind VARCHAR NOT NULL, position BIGINT NOT NULL,
        recorded_at TIMESTAMP NOT NULL, actor VARCHAR NOT NULL, reason VARCHAR, action VARCHAR, filter VARCHAR,
        members VARCHAR, previewed_at BIGINT, events BIGINT NOT NULL, difference_usd DECIMAL(38, 12) NOT NULL,
        cost_unknown_events BIGINT NOT NULL)""",
    # Every event that the correction run committed at `position` was about, by its locator.
    """CREATE TABLE corrected_events (position BIGINT NOT NULL, locator BIGINT NOT NULL)""",
    # Every event of a re-pricing run; `range` is the JSON text of a RepricingRange. Of a commit or revert, `events` got
    # another cost, and `difference_usd` is what their costs grew by.
    """CREATE TABLE repricings (
        scope_key INTEGER NOT NULL, name VARCHAR NOT NULL, kind VARCHAR NOT NULL, position BIGINT NOT NULL,
        recorded_at TIMESTAMP NOT NULL, actor VARCHAR NOT NULL, reason VARCHAR, range VARCHAR, previewed_at BIGINT,
        events BIGINT NOT NULL, difference_usd DECIMAL(38, 12) NOT NULL)""",
    # Every event of a backfill; `range` is the JSON text of a BackfillRange. Of a commit or revert, the events that
    # it counted and withdrew, and what the raw cost grew by.
    """CREATE TABLE backfills (
        scope_key INTEGER NOT NULL, name VARCHAR NOT NULL, kind VARCHAR NOT NULL, position BIGINT NOT NULL,
        recorded_at TIMESTAMP NOT NULL, actor VARCHAR NOT NULL, reason VARCHAR, range VARCHAR, mode VARCHAR,
        previewed_at BIGINT, blocks BIGINT, counted BIGINT NOT NULL, duplicate BIGINT NOT NULL,
        conflict BIGINT NOT NULL, withdrawn BIGINT NOT NULL, difference_usd DECIMAL(38, 12) NOT NULL,
        cost_unknown_events BIGINT NOT NULL)""",
    # Every block that a backfill loaded: its events that intake accepted, and those it rejected.
    """CREATE TABLE staged_blocks (
        scope_key INTEGER NOT NULL, name VARCHAR NOT NULL, position BIGINT NOT NULL, recorded_at TIMESTAMP NOT NULL,
        events BIGINT NOT NULL, rejected BIGINT NOT NULL)""",
    # Outcomes of received events that are not counted. With the tables of `outcomes.py` they are the view `outcomes`.
    f"CREATE TABLE stored_outcomes ({OUTCOME_COLUMNS})",
    # Progress of each partition of a Kafka topic, with the records lost and the commands refused so far.
    """CREATE TABLE sources (
        stream VARCHAR PRIMARY KEY, topic VARCHAR NOT NULL, partition_number INTEGER NOT NULL,
        next_offset BIGINT NOT NULL, records_lost BIGINT NOT NULL, commands_refused BIGINT NOT NULL,
        position BIGINT NOT NULL, recorded_at TIMESTAMP NOT NULL)""",
    f"CREATE TABLE unit_days ({UNIT_COLUMNS})",
    # The tables of usage rows and day deltas; see generations.py.
    """CREATE TABLE generations (
        name VARCHAR NOT NULL, kind VARCHAR NOT NULL, number INTEGER NOT NULL, state VARCHAR NOT NULL,
        rows BIGINT NOT NULL)""",
)
