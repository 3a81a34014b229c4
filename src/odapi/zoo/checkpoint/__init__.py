"""Reader of TensorFlow 2 checkpoints that does not need TensorFlow."""
