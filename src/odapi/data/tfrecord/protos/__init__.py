"""Messages of tf.Example and tf.SequenceExample; `make protos` makes the code."""
