"""Run a role of a peer: ``python -m penstock.bench.rivals huey submit``.

From here, and not by its own file: jobs go by the name of the module that they are imported from.
"""

from __future__ import annotations

import sys
from importlib import import_module

if __name__ == "__main__":
    import_module(f"penstock.bench.rivals.{sys.argv[1]}s").main(sys.argv[2])
