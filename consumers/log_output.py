"""Logging set-up: one line per message on the error stream, as text or JSON."""

from __future__ import annotations

import logging
import sys

import structlog


def processors_before(renderer: structlog.typing.Processor) -> list[structlog.typing.Processor]:
    """The processors of a message, the last of which is `renderer`; exceptions become plain text."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        renderer,
    ]


def configure_logging(level: str, *, as_json: bool) -> None:
    """Write messages of `level` (debug, info, warning, error) and above; those of libraries from warning up."""
    number = logging.getLevelNamesMapping()[level.upper()]
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer()
    if not as_json:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    structlog.configure(
        processors=processors_before(renderer),
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(
        stream=sys.stderr, level=max(number, logging.WARNING), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
