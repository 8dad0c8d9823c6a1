"""What holds for every test: Hypothesis judges what is computed, not how long a busy machine took for it."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("meterfold", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("meterfold")
