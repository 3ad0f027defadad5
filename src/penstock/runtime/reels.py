"""Beside a command or a test, before a replay starts: what its players are to know of a recording."""

from __future__ import annotations

import os
from typing import Dict, List

from penstock.link.sequence import name
from penstock.message.recording import Recording
from penstock.pipeline.plan import Plan, Reel


def reel(plan: Plan, recording: Recording, *, speed: float = 0.0, loop: bool = False) -> Reel:
    """How ``recording`` is played through ``plan``."""
    ordered = any(stage.ordered for stage in plan.stages)
    sources = _sources(recording) if ordered else {}
    return Reel(os.path.abspath(recording.path), speed=speed, loop=loop, sources=sources)


def _sources(recording: Recording) -> Dict[str, List[str]]:
    """Whose items are on each link: by what was recorded, and not by the plan, which may be another now."""
    return {
        track.label: sorted({name(origin).source for origin in track.origins}) for track in recording.tracks
    }
