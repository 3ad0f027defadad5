"""Another version of the model, which the running pipeline does not know."""

from __future__ import annotations

import numpy as np
import spots

from penstock import service


@service(replicas=2, batch=16, batch_wait="2ms")
def locate(images: np.ndarray) -> np.ndarray:
    """Where the spots are, by a better way."""
    found: np.ndarray = spots.most_like(images)
    return found
