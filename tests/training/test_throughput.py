"""Speed of a training, and its share of waiting."""

import time

from odapi.training.throughput import ThroughputMeter


def test_meter_counts_the_wait_for_data_but_not_the_first_step(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    meter = ThroughputMeter()
    meter.resume()
    now[0] = 30.0  # Compiling.
    meter.step_done(ready=0.1, images=8)
    meter.resume()
    assert (meter.images_per_second, meter.seconds_per_step, meter.waiting) == (0, 0, 0)
    now[0] = 34.0  # The batch came after one second.
    meter.step_done(ready=31.0, images=8)
    now[0] = 100.0  # An evaluation.
    meter.resume()
    now[0] = 104.0  # The batch was there long before.
    meter.step_done(ready=35.0, images=8)
    assert meter.seconds == 8.0
    assert meter.total_seconds == 38.0
    assert meter.images_per_second == 2.0
    assert meter.seconds_per_step == 4.0
    assert meter.waiting == 1 / 8
