"""Benchmarks, one file each: they print ratios against a peer that is measured in the same run."""
