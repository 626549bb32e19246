"""Telling of what happens: events of a published copy, sent to receivers as signed webhooks."""
