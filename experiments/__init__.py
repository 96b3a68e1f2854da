"""Studies built on the app: presets, reproductions of published results, and benchmarks."""
