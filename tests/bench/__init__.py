"""Benchmarks: `make bench`. Ratios within one run are evidence; single figures belong to one machine and hour."""
