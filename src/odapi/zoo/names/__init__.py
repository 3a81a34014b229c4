"""Checkpoint keys of the TF Object Detection API for the weights of our models.

One module per part of a model, each named `*_keys.py`. Functions return a dict from our
variable name, as of `named_variables`, to the key of the original.
"""
