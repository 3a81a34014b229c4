"""What makes numbers of detections: NumPy in, a flat dict out, no files."""
