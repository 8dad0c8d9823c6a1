"""Settings of all tests: Hypothesis has no deadline, since a busy machine may be slow.

Exceptions are logged as the engine does it: structlog by default prints every local variable, which may take a minute.
"""

from __future__ import annotations

import structlog
from hypothesis import HealthCheck, settings

settings.register_profile("meterfold", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("meterfold")
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=False),
        structlog.processors.format_exc_info,
        structlog.dev.ConsoleRenderer(colors=False),
    ]
)
