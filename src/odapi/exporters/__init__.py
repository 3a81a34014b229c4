"""Export of trained detectors: one `Exporter` per format, one verification for all."""
