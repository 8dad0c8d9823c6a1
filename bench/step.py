"""One measurement in a process of its own: `python -m bench.step NAME CORES`, parameters on stdin, result on stdout.

Child processes import this module too, before anything else, so that appends are measured in the intake process.
"""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import Any

import msgspec

from bench.processes import APPEND_FILE_VARIABLE, pin

if APPEND_FILE_VARIABLE in os.environ:
    from bench.tracing import LongestCall

    LongestCall("domain.log.sqlite.event_log:SQLiteEventLog.append", Path(os.environ[APPEND_FILE_VARIABLE]))


def main(name: str, cores: int) -> None:
    """Run one measurement and print its result as JSON."""
    pin(cores)
    # Imported only after the process is pinned, because libraries count their cores when they are loaded.
    from bench import (
        backfilling,
        chain,
        current_usage,
        endurance,
        fairness,
        http_load,
        listing,
        profile_of_chain,
        reads,
        rebuilding,
        serving,
        stored,
    )
    from bench.kafka import consuming as kafka_consuming
    from bench.kafka import polling as kafka_polling
    from bench.kafka import records as kafka_records
    from bench.peers import clickhouse, engine, sqlite, stream

    steps: dict[str, tuple[Any, Any]] = {
        "fill": (stored.fill, stored.Filling),
        "chain": (chain.measure, chain.ChainRun),
        "engine turn": (engine.measure, stream.StoreRun),
        "chdb turn": (clickhouse.measure, stream.StoreRun),
        "sqlite turn": (sqlite.measure, stream.StoreRun),
        "rebuild": (rebuilding.rebuild, rebuilding.RebuildRun),
        "endure": (endurance.endure, endurance.EnduranceRun),
        "endure rebuild": (endurance.rebuild, endurance.EnduranceRun),
        "space": (rebuilding.space, rebuilding.RebuildRun),
        "reads": (reads.measure, reads.ReadRun),
        "http": (serving.measure, serving.HttpRun),
        "http reads": (serving.measure_reads, reads.ReadRun),
        "fairness": (fairness.measure, fairness.FairnessRun),
        "neighbours": (fairness.send_as_neighbours, fairness.NeighbourRun),
        "current usage": (current_usage.measure, current_usage.UsageRun),
        "list": (listing.measure, listing.ListRun),
        "live": (backfilling.send_live, backfilling.LiveRun),
        "load": (http_load.load, http_load.LoadRun),
        "kafka": (kafka_consuming.measure, kafka_consuming.ConsumingRun),
        "kafka records": (kafka_records.publish, kafka_records.PublishRun),
        "kafka polling": (kafka_polling.poll, kafka_polling.PollRun),
        "profile": (profile_of_chain.profile, profile_of_chain.ProfileRun),
    }
    measure, parameters = steps[name]
    given = msgspec.json.decode(sys.stdin.buffer.read(), type=parameters)
    # Only the result goes to the original stdout; output of the engine goes to stderr.
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    gc.collect()
    with output:
        output.write(msgspec.json.encode(measure(given)))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
