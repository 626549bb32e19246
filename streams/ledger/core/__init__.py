"""The pure core of the ledger: folding facts and judging truce-days.

No I/O, no clock, no framework: time is data, and what is decided is returned as rows. docs/judging.md states
the rules in prose.
"""
