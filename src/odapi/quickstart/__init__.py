"""The quick start: a data set, a recipe and a run that shows everything at once."""
