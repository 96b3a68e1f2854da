"""What runs at a client: local training, its optimality gap, and the honest and malicious clients.

Training is importable without Flower; the Flower clients are in `clients.honest` and
`clients.malicious`.
"""

from __future__ import annotations

from attacks.knowledge import TrainingReport

from .local_training import LocalTraining, train_and_measure

__all__ = ["LocalTraining", "TrainingReport", "train_and_measure"]
