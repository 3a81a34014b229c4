"""Timing of models side by side: latency, memory and mAP, each in its own process."""
