"""Choices of NMS in TFLite files."""

from odapi.errors import unknown_choice

GRAPH = "graph"  # Builtin operators, equal to the detector.
FAST = "fast"  # TFLite_Detection_PostProcess; boxes compete across classes.
REGULAR = "regular"  # TFLite_Detection_PostProcess; classes are suppressed separately.
CHOICES = (GRAPH, FAST, REGULAR)
FIELD = "tflite_nms"


def check_choice(nms: str) -> None:
    """Raises ConfigError if there is no such choice."""
    if nms not in CHOICES:
        raise unknown_choice(FIELD, nms, CHOICES)
