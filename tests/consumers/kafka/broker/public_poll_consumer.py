"""A consumer process that reads by the public poll, as if kafka-python lacked a name. Arguments: name, data folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec

from consumers.bootstrap import open_consumer
from consumers.kafka.consumer.options import consumer_options
from consumers.kafka.consumer.process import stopping_on_signals, tune_memory
from consumers.log_output import configure_logging
from consumers.setting_variables import read_settings


def run(name: str, folder: Path) -> None:
    settings = read_settings(os.environ, {"data_dir": folder})
    configure_logging(settings.log_level, as_json=settings.log_json)
    options = msgspec.structs.replace(consumer_options(settings, name), public_poll=True)
    stopping = stopping_on_signals()
    tune_memory()
    with open_consumer(settings, options) as consumer:
        consumer.run(stopping)


if __name__ == "__main__":
    run(sys.argv[1], Path(sys.argv[2]))
