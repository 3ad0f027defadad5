"""A training script that knows nothing of Penstock: as a job it is run as it is.

python train_model.py --data digits.npz --model script.model --epochs 10
penstock tasks submit --group train -- python train_model.py --data digits.npz ...
"""

from __future__ import annotations

import argparse

import learning
import numpy as np


def main() -> None:
    """Train, and say how it goes."""
    parser = argparse.ArgumentParser(description="Train a network on digits.")
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--rate", type=float, default=0.003)
    wanted = parser.parse_args()
    with np.load(wanted.data) as file:
        digits = dict(file)
    network = learning.begun(wanted.rate)
    for epoch in range(1, wanted.epochs + 1):
        score = learning.learn(network, digits)
        print(f"epoch {epoch} of {wanted.epochs}   loss {score.loss:.3f}   accuracy {score.accuracy:.1%}")
    learning.save(network, wanted.model)


if __name__ == "__main__":
    main()
