"""How hard Hypothesis looks: HYPOTHESIS_PROFILE=thorough for a night, a modest look otherwise."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile(
    "thorough", settings.get_profile("penstock"), max_examples=2000, stateful_step_count=150
)
if os.environ.get("HYPOTHESIS_PROFILE") == "thorough":
    settings.load_profile("thorough")
