"""Studies: grids of runs, their runner, results and report."""
