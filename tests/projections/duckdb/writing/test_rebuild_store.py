"""A rebuild, with many steps per transaction, ends in the same store as folding step by step."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.log.chain import CHAIN_START
from domain.prices.schedule import PriceVersion, UnitPrices
from domain.scope import DEFAULT_SCOPE
from projections.duckdb.storage.database import DuckDBDatabase, DuckDBOptions, create_tables
from projections.duckdb.verification.comparison import LOGICAL_VIEWS, logical_view
from projections.duckdb.writing.rebuild_store import RebuildStore
from projections.folding.projector import Projector
from projections.identity.index import IdentityIndex
from tests.projections.folded_log import BY_TEST, LOG_ID, SEED, START, FoldedLog, usage

#: Changes to a log: events arrive, one is voided or restored, a price is set, a customer is changed.
IDS = st.integers(0, 30)
ACTIONS = st.one_of(
    st.tuples(st.just("deliver"), st.lists(IDS, min_size=1, max_size=6)),
    st.tuples(st.just("void"), IDS),
    st.tuples(st.just("restore"), IDS),
    st.tuples(st.just("price"), st.just(0)),
    st.tuples(st.just("change a customer"), IDS),
)


def act(folded: FoldedLog, action: str, what: Any) -> None:
    folded.pass_time(minutes=1)
    if action == "deliver":
        folded.deliver([usage(str(n), customer=f"c-{n % 3}", at=START - timedelta(hours=n)) for n in what])
    elif action == "void":
        folded.commands.void_usage(DEFAULT_SCOPE, "gateway", str(what), BY_TEST)
    elif action == "restore":
        folded.commands.restore_usage(DEFAULT_SCOPE, "gateway", str(what), BY_TEST)
    elif action == "change a customer":
        folded.commands.update_customer(
            DEFAULT_SCOPE, f"c-{what % 3}", {"default_model": f"m-{what}"}, BY_TEST, seen_at=START
        )
    else:
        price = PriceVersion(None, UnitPrices(Decimal(2), Decimal(3)))
        folded.commands.set_price(DEFAULT_SCOPE, "nowhere", "m-1", price, BY_TEST)


def views(cursor: duckdb.DuckDBPyConnection) -> dict[str, list[tuple[Any, ...]]]:
    (catalog,) = cursor.execute("SELECT current_database()").fetchall()[0]
    return {
        view: sorted(cursor.execute(logical_view(cursor, view, catalog)).fetchall(), key=repr) for view in LOGICAL_VIEWS
    }


def rebuilt(folded: FoldedLog, folder: Path, commit_rows_min: int, more: list[tuple[str, Any]]) -> Any:
    """The views of a store that was rebuilt from the log, then folded `more` step by step."""
    database = DuckDBDatabase.open(folder / "again.duckdb", DuckDBOptions("512MB", 1, compressed=False))
    cursor = database.cursor()
    create_tables(cursor, LOG_ID, CHAIN_START)
    store = RebuildStore(cursor, commit_rows_min)
    projector = Projector(folded.log, store, IdentityIndex.open(folder / "again", LOG_ID), folded.keys)
    projector.restore_seed(SEED)
    while projector.step():
        pass
    store.finish()
    database.compress_from_now_on()
    for action, what in more:
        act(folded, action, what)
        projector.step()
    found = views(database.cursor())  # another connection: it sees what is committed
    database.close()
    return found


@settings(max_examples=40, deadline=None)
@given(st.lists(ACTIONS, max_size=25), st.lists(ACTIONS, max_size=3), st.sampled_from([1, 4, 1_000_000]))
def test_a_rebuilt_store_equals_the_one_that_followed_the_log(
    actions: list[tuple[str, Any]], more: list[tuple[str, Any]], commit_rows_min: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        live = FoldedLog(Path(folder) / "live")
        for action, what in actions:
            act(live, action, what)
            live.fold()
        again = rebuilt(live, Path(folder), commit_rows_min, more)
        live.fold()
        assert again == views(live.cursor)
        live.close()
