"""Which rows are missing can be asked while the last of them are being written."""

from __future__ import annotations

from typing import Any

import duckdb

from projections.duckdb.storage.missing_rows import missing_rows


class WrittenMeanwhile:
    """A cursor outside of a transaction; the last rows are written right after it has looked for the table."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self._cursor = cursor

    def execute(self, statement: str) -> Any:
        looks = "duckdb_tables" in statement
        answer = self._cursor.execute(statement)
        if not looks:
            return answer
        [(found,)] = answer.fetchall()
        self._cursor.execute("DROP TABLE missing_rows")
        return self._cursor.execute(f"SELECT {int(found)}")


def test_rows_that_were_written_between_two_statements_are_missing_no_more() -> None:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE missing_rows (until BIGINT, written_to BIGINT)")
        cursor: Any = WrittenMeanwhile(connection)
        assert missing_rows(cursor) is None
