"""Writes the files of a training run, without a training."""

import json

import h5py
import numpy as np

from odapi.checkpoints import folder as folders
from odapi.outputs.kinds import EVALUATION, RUN
from odapi.outputs.marker import Marker, write_marker
from odapi.report.history import History

MAP = "DetectionBoxes_Precision/mAP"
CATEGORY = "DetectionBoxes_PerformanceByCategory/mAP/cat"
CONFIG = """
model {{ ssd {{
  feature_extractor {{ type: "ssd_mobilenet_v2_keras" }}
  image_resizer {{ fixed_shape_resizer {{ height: 64 width: 64 }} }}
}} }}
train_config {{ batch_size: {batch_size} num_steps: {num_steps} }}
[odapi.options] {{ train_data: "coco:train.json" }}
"""


def write_run(
    folder, maps=(), losses=(), step=None, reason="done", num_steps=40, batch_size=4
):
    """Writes a run.

    Args:
        folder: The run.
        maps, losses: Pairs of a step and a value: mAP, and the total loss.
        step: Of its only checkpoint and of the summary; None: the run has neither.
        reason: Why it ended; None: it has no summary, as after a kill.
        num_steps, batch_size: In its config.
    """
    folder.mkdir(parents=True)
    write_marker(folder, Marker(RUN.name, {}))
    history = History(folder, 0)
    for at, value in maps:
        history.add(at, {MAP: value, CATEGORY: value / 2, "Loss/total_loss": 2.0})
    for at, value in losses:
        history.add_losses(at, {"Loss/total_loss": value}, rate=0.1)
    if step is None:
        return folder
    checkpoint = folder / "checkpoints" / f"step-{step:08d}"
    checkpoint.mkdir(parents=True)
    config = CONFIG.format(num_steps=num_steps, batch_size=batch_size)
    (checkpoint / folders.CONFIG).write_text(config)
    with h5py.File(checkpoint / folders.WEIGHTS, "w") as file:
        file["head/kernel"] = np.zeros((3, 5), "float32")
        file["head/bias"] = np.zeros(5, "float32")
    facts = {"step": step, "seconds": 8.0}
    (checkpoint / "training_state.json").write_text(json.dumps(facts))
    folders.set_pointer(folder, "last", checkpoint)
    if reason:
        summary = {"step": step, "reason": reason, "seconds": 10.0}
        summary["images_per_second"] = 12.5
        (folder / "training.json").write_text(json.dumps(summary))
    return folder


def write_evaluation(folder, value, batch_size=4, ap=0.3):
    """Writes the output of an evaluation of a model without a step.

    Args:
        folder: The output.
        value: Its mAP.
        batch_size: In its config, as of the training.
        ap: Of the class "cat"; "dog" has no objects.
    """
    folder.mkdir(parents=True)
    write_marker(folder, Marker(EVALUATION.name, {}))
    content = {
        "metrics": {MAP: value},
        "categories": [{"name": "dog", "ap": -1.0}, {"name": "cat", "ap": ap}],
        "num_images": 4, "seconds": 8.0, "step": None, "parameters": 20,
    }  # fmt: skip
    (folder / "metrics.json").write_text(json.dumps(content))
    config = CONFIG.format(num_steps=40, batch_size=batch_size)
    config = config.replace("train_data:", 'eval_data: "coco:val.json" train_data:')
    (folder / folders.CONFIG).write_text(config)
    return folder
