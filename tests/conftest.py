"""Settings of all tests: Hypothesis has no deadline, since a busy machine may be slow."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("meterfold", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("meterfold")
