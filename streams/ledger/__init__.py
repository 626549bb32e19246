"""From the facts topic to DuckDB: one ledger per agreement."""
