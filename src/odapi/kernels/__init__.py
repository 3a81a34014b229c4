"""Fast paths of single operations that Keras does not offer, one file per operation.

The only place below `odapi.exporters` and `odapi.runtime` that calls TensorFlow or
torch directly. Each function has the same result as its `keras.ops` formula, up to
rounding, and states on which backend it applies.
"""
