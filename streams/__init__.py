"""Streaming pipeline from field reports to verdicts, and its command line."""
