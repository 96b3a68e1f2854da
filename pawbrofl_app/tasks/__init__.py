"""What is learned: data sets, networks, partitions among the clients, and the evaluation of a model."""
