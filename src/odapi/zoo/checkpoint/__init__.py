"""Reads the checkpoints of TensorFlow 2, without TensorFlow."""
