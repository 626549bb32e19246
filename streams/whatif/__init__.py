"""What if: the recorded facts of a published file judged under other rules. Nothing recorded changes.

There is no second judge here: the records go through intake's examination and the ledger's own agent again, into a
folder that is removed afterwards.
"""
