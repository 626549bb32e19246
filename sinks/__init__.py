"""Storage of rows in DuckDB, and the reading of published files."""
