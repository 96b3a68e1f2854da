"""What runs at a client: local training, its optimality gap, and the honest and malicious clients.

Training is importable without Flower, and the names of the gap measures without PyTorch; the Flower
clients are in `clients.honest` and `clients.malicious`.
"""
