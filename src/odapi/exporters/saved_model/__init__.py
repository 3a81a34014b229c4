"""Export to TensorFlow SavedModels with the signatures of the original's exporter."""
