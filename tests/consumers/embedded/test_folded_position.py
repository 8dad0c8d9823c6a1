"""Other processes read how far the owner has folded, across restarts and while it goes on."""

from __future__ import annotations

import threading
from pathlib import Path

from consumers.embedded.folded_position import FILE_NAME, FoldedPositionReader, FoldedPositionWriter
from tests.consumers.running_engine import deliver
from tests.engine_fixtures import SettableClock, engine_on


def test_a_folder_without_an_owner_answers_none_until_one_publishes(tmp_path: Path) -> None:
    reader = FoldedPositionReader(tmp_path)
    assert reader.read() is None
    writer = FoldedPositionWriter(tmp_path)
    writer.write(7)
    assert reader.read() == 7
    writer.write(2**40)
    assert reader.read() == 2**40
    writer.close()
    reader.close()


def test_the_position_survives_its_writer_and_goes_on_in_the_same_file(tmp_path: Path) -> None:
    first = FoldedPositionWriter(tmp_path)
    first.write(41)
    first.close()
    reader = FoldedPositionReader(tmp_path)
    assert reader.read() == 41
    second = FoldedPositionWriter(tmp_path)
    assert reader.read() == 41
    second.write(42)
    assert reader.read() == 42
    second.close()
    reader.close()


def test_a_reader_never_sees_half_a_position(tmp_path: Path) -> None:
    writer, reader = FoldedPositionWriter(tmp_path), FoldedPositionReader(tmp_path)
    stop = threading.Event()
    written = (0x00FF00FF, 0xFF00FF00FF00)

    def write() -> None:
        while not stop.is_set():
            for position in written:
                writer.write(position)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        found = {reader.read() for _ in range(20_000)}
    finally:
        stop.set()
        thread.join()
    assert found <= {0, *written}
    writer.close()
    reader.close()


def test_a_folder_that_cannot_be_written_costs_the_owner_nothing(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir()
    writer = FoldedPositionWriter(tmp_path)
    writer.write(7)
    writer.close()


def test_a_file_of_another_size_is_none_that_was_published(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"short")
    assert FoldedPositionReader(tmp_path).read() is None
    writer = FoldedPositionWriter(tmp_path)
    writer.write(3)
    assert FoldedPositionReader(tmp_path).read() == 3
    writer.close()


def test_a_running_engine_publishes_every_step(tmp_path: Path) -> None:
    clock = SettableClock()
    reader = FoldedPositionReader(tmp_path / "data")
    with engine_on(tmp_path / "data", clock) as engine:
        deliver(engine, clock, 50)
        head = engine.log.head_position()
        assert engine.wait_folded(head, 30)
        engine.fold.stop()  # the last step is over, and so is what is told after it
        assert reader.read() == head
    with engine_on(tmp_path / "data", clock) as engine:
        assert engine.wait_folded(head, 30)
        assert reader.read() == head
    reader.close()
