"""The round loop: sampling, messages, failures, evaluation at clients, progress."""
