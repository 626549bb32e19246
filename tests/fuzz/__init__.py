"""Bytes nobody would write, given to everything that reads bytes others wrote.

A finding is an exception that is not one of ours, an input that takes longer than ``LONGEST_SECONDS``, memory beyond
``MOST_MEMORY``, or a death of the process. Inputs that found something once lie under ``findings/<target>/`` and are
run by the tests for ever.
"""
