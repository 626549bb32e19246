"""Mappings: TOML files that say which column of a foreign table is which field of a report."""
