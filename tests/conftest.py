"""Settings of all tests: Hypothesis has no deadline, since a busy machine may be slow.

Exceptions are logged as the engine does it: structlog by default prints every local variable, which may take a minute.
"""

from __future__ import annotations

import structlog
from hypothesis import HealthCheck, settings

from consumers.log_output import processors_before

settings.register_profile("meterfold", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("meterfold")
structlog.configure(processors=processors_before(structlog.dev.ConsoleRenderer(colors=False)))
