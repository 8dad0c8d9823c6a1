"""A running engine whose read side lacks rows, as after a start that has folded the numbers first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from consumers.embedded.engine import EmbeddedEngine
from tests.waiting import eventually

PATIENCE_SECONDS = 60


@contextmanager
def lacking_rows(engine: EmbeddedEngine) -> Iterator[None]:
    """Put a read side in use whose rows up to the present head are missing; at the end of the context write them."""
    live = engine.live
    fresh = live.opener.open(engine.folder.new_read_folder(), refolding="numbers first")
    missing = fresh.store.missing_rows()
    assert missing is not None
    while fresh.projector.position < missing.until:
        assert fresh.projector.step(missing.until)
    fresh.finish_refolding()
    fresh.checkpoint()
    with live.replacing, live.write_turn, live.fold.paused:
        engine.folder.use_read_folder(fresh.folder)
        live.replace(fresh).retire()
    engine.key_cache.reload()
    yield
    engine.row_writing.start()
    assert eventually(lambda: engine.read_side.store.missing_rows() is None, PATIENCE_SECONDS)
