"""A user's evaluator that has nothing in common with COCO."""

import dataclasses

import numpy as np

from odapi.metrics.evaluator import ClassResult, Evaluator


@dataclasses.dataclass(frozen=True)
class PresenceRow(ClassResult):
    """Share of images in which the presence of a class is predicted correctly."""

    accuracy: float = dataclasses.field(metadata={"title": "presence"})


class PresenceAccuracy(Evaluator):
    """Share of (image, class) pairs whose presence is predicted correctly."""

    def __init__(self, names, min_score=0.5):
        self.names, self.min_score = names, min_score
        self.reset()

    def reset(self):
        self.images = {}
        self.num_objects = np.zeros(len(self.names), int)

    def update(self, image_id, groundtruth, detections):
        if image_id in self.images:
            raise ValueError(f"image {image_id!r} was already added")
        confident = np.asarray(detections["scores"]) >= self.min_score
        indices = np.arange(len(self.names))
        there = np.isin(indices, groundtruth["classes"])
        found = np.isin(indices, np.asarray(detections["classes"])[confident])
        self.images[image_id] = there == found
        self.num_objects += np.bincount(groundtruth["classes"], minlength=len(indices))

    def compute(self):
        values = list(self.images.values())
        return {"Presence/accuracy": float(np.mean(values)) if values else -1.0}

    def explain(self):
        return {} if self.images else {"Presence/accuracy": "no image was evaluated"}

    def per_class(self):
        means = np.mean(list(self.images.values()), axis=0)
        return tuple(
            PresenceRow(name, n + 1, int(self.num_objects[n]), float(means[n]))
            for n, name in enumerate(self.names)
        )

    def hints(self):
        return ["presence ignores boxes"]
