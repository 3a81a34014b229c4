"""Reads the .index files of TensorFlow checkpoints, without TensorFlow."""
