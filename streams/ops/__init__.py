"""Answers for a person about one published file."""
