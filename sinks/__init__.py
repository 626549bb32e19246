"""Storage of rows in DuckDB, and the reading of published files."""

from sinks.reading import open_published

__all__ = ["open_published"]
