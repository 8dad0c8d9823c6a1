"""The implementations of `FoldStore` that the conformance suite and the comparison with the model run on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

import duckdb

from domain.log.chain import CHAIN_START
from projections.duckdb.storage.database import create_tables
from projections.duckdb.writing.fold_store import DuckDBFoldStore
from projections.folding.fold_store import FoldStore
from tests.fakes.in_memory_fold_store import InMemoryFoldStore
from tests.projections.folded_log import LOG_ID
from tests.projections.folding.fold_store_contents import Contents, contents_in_duckdb, contents_in_memory


class FoldStoreUnderTest(Protocol):
    """An empty store of the log `LOG_ID`, and the reading of what it has committed."""

    @property
    def store(self) -> FoldStore: ...

    def contents(self) -> Contents: ...

    def close(self) -> None: ...


class MemoryUnderTest:
    def __init__(self) -> None:
        self.store = InMemoryFoldStore(LOG_ID)

    def contents(self) -> Contents:
        return contents_in_memory(self.store.committed)

    def close(self) -> None:
        pass


class DuckDBUnderTest:
    def __init__(self) -> None:
        self._connection = duckdb.connect()
        create_tables(self._connection, LOG_ID, CHAIN_START)
        self.store = DuckDBFoldStore(self._connection.cursor())

    def contents(self) -> Contents:
        return contents_in_duckdb(self._connection.cursor())

    def close(self) -> None:
        self.store.close()
        self._connection.close()


#: Add a store to the suite by a line here.
IMPLEMENTATIONS: Final[dict[str, Callable[[], FoldStoreUnderTest]]] = {
    "memory": MemoryUnderTest,
    "duckdb": DuckDBUnderTest,
}
