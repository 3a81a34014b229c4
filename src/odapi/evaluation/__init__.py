"""Evaluation of a detector on a dataset: the loop, its result, tables and files."""
