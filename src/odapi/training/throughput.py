"""Training speed, and the share of time spent waiting for data."""

import time

_RECENT_STEPS = 50


class ThroughputMeter:
    """Measures the time of training steps, without evaluation and saving.

    The first step is left out of speeds: it compiles, and would distort speed and
    remaining time for long.

    Attributes:
        seconds: Of all steps but the first.
        total_seconds: Of all steps.
        waited: Seconds, of `seconds`, in which no batch was ready.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.steps = self.images = 0
        self.total_seconds = 0.0
        self.waited = 0.0
        self._resumed_at = time.monotonic()
        self._recent: list[float] = []
        self._is_first = True

    def resume(self) -> None:
        """Call it when the next step starts."""
        self._resumed_at = time.monotonic()

    def step_done(self, ready: float, images: int) -> None:
        """Adds a step.

        Args:
            ready: time.monotonic() when its batch was ready.
            images: Images of the batch.
        """
        now = time.monotonic()
        took = now - self._resumed_at
        self.total_seconds += took
        if not self._is_first:
            self.seconds += took
            self.steps += 1
            self.images += images
            self.waited += min(max(0.0, ready - self._resumed_at), took)
            self._recent = [*self._recent[1 - _RECENT_STEPS :], took]
        self._is_first = False
        self._resumed_at = now

    @property
    def seconds_per_step(self) -> float:
        """Mean of the last steps; 0 before there are any."""
        return sum(self._recent) / len(self._recent) if self._recent else 0.0

    @property
    def images_per_second(self) -> float:
        """Mean of all measured steps; 0 before there are any."""
        return self.images / self.seconds if self.seconds else 0.0

    @property
    def waiting(self) -> float:
        """Share of the measured time in which no batch was ready, 0 to 1."""
        return self.waited / self.seconds if self.seconds else 0.0
