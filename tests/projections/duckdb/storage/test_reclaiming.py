"""A file that is mostly free shrinks, and holds the same numbers afterwards."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

from projections.duckdb.storage.compaction import Compaction
from projections.duckdb.storage.generations import Generations
from projections.duckdb.writing.delta_inserts import insert_deltas
from tests.projections.folded_log import FoldedLog, usage

ROWS = 150_000


def test_a_file_that_compaction_left_mostly_free_becomes_smaller(tmp_path: Path) -> None:
    folded = FoldedLog(tmp_path / "read")
    folded.deliver([usage(str(n), customer=f"c-{n}") for n in range(3)])
    folded.fold()
    (rows,) = (one.name for one in Generations(folded.cursor).of("rows"))
    (days,) = (one.name for one in Generations(folded.cursor).of("days"))
    folded.cursor.execute("SET force_compression = 'uncompressed'")
    folded.cursor.execute(
        f"INSERT INTO {rows} SELECT r.* REPLACE (r.locator + n AS locator, md5(n::VARCHAR) AS id)"
        f" FROM {rows} r, range(1, {ROWS}) t(n)"
    )
    folded.cursor.execute(f"DELETE FROM {days}")
    folded.cursor.execute(insert_deltas(days, rows))
    before = folded.sums()
    assert sum(row[1] for row in before) == 3 * ROWS
    folded.database.checkpoint()
    folded.database.compress_from_now_on()
    folded.compact()
    folded.database.checkpoint()
    large, free = folded.database.file_bytes(), folded.database.free_share()
    assert free > 0.5

    compaction = Compaction(folded.database.cursor(), nullcontext, folded.store.load_generations)
    compaction.shrink_file(folded.database.checkpoint)
    compaction.close()
    assert folded.database.file_bytes() < large * (1 - 0.9 * free)
    assert folded.sums() == before
    folded.deliver([usage("one more", customer="c-0")])
    folded.fold()
    assert sum(row[1] for row in folded.sums()) == 3 * ROWS + 1
    folded.close()
