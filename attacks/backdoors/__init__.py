"""Backdoors: attacks on data that teach the model to answer a trigger, and the triggers themselves."""
