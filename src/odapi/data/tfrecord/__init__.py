"""TFRecord files: records, their index, and the messages in them."""
