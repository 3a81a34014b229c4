"""Training on several devices and in several processes: one interface, per backend.

`choose.py` returns the `Strategy` of a run; the training uses its methods only.
"""
