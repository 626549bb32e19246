"""Intake, from the input topics to the facts topic."""
