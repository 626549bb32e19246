"""Package data of ``trucewatch demo``: Syria in September 2016, as published; SOURCES.md says how far to trust it."""
