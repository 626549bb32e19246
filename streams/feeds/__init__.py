"""Readers of recorded reports, and their publication to Kafka."""
