"""Reads the files of a training run and reports on them; knows no model."""
