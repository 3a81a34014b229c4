"""The rule of all outputs: nothing that odapi did not write is deleted or replaced."""
