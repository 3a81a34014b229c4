"""Keras callbacks of the training loop, one per file."""
