"""Data sets to disk, in the formats that the sources read."""
