"""The format of the .index files of TensorFlow checkpoints."""
