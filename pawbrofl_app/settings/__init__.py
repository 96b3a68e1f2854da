"""What a run and a SuperNode can be told: parsed and checked before anything starts."""
