"""Ledger of one agreement, from the facts topic to DuckDB."""
