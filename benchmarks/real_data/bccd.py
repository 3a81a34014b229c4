"""Blood cells (BCCD): the original's recipe, and the best one found since.

    python -m benchmarks.real_data.bccd original    # three seeds, as the original
    python -m benchmarks.real_data.bccd recipe      # recipes/bccd_fpnlite_320.config

Both start from the ImageNet backbone and are evaluated on the 72 test images. The
first trains on the train list, with the original's 800 steps of batch 8, on one
core; the second on train and val together, on all cores. Writes a table, curves
and images. Seeds can be run one by one (`--seeds 1`): the table has all that have
been run.
"""

import argparse
import dataclasses
import json
import os
import pathlib

from benchmarks.processes import RESULTS, ROOT, SHARED, table
from benchmarks.real_data import commands
from benchmarks.real_data.commands import BACKBONE

DATA = SHARED / "data" / "bccd"
_RUN = "run.json"
MAP, MAP50 = "DetectionBoxes_Precision/mAP", "DetectionBoxes_Precision/mAP@.50IOU"
# Of the original, with this recipe on one core: ../shared/README.md and the issue.
ORIGINAL = {"mAP": 0.071, "mAP50": 0.177, "seconds": 843.0}


@dataclasses.dataclass(frozen=True)
class Run:
    """One training and its evaluation on the test images."""

    name: str
    seed: int
    cost: commands.Cost
    metrics: dict[str, float]

    @property
    def row(self) -> list[str]:
        return [
            f"{self.name}, seed {self.seed}",
            f"{self.metrics[MAP]:.3f}",
            f"{self.metrics[MAP50]:.3f}",
            f"{self.cost.wall:.0f}",
            f"{self.cost.cpu:.0f}" if self.cost.cpu else "-",
        ]


def train(config: pathlib.Path, name: str, seed: int, split: str, cores: int) -> Run:
    """Trains from nothing but the backbone, then evaluates, as the README says."""
    folder = commands.fresh(ROOT / "runs" / "bccd" / f"{name}-{seed}")
    cost = commands.odapi(
        *("train", str(config), "--model-dir", str(folder), "--seed", str(seed)),
        *("--train-data", f"voc:{DATA}?split={split}"),
        *("--set", f"train_config.fine_tune_checkpoint={BACKBONE}"),
        *("--eval-data", f"voc:{DATA}?split=test"),
        *("--set", "options.evaluation.every_n_steps=0"),
        cores=cores,
    )
    output = folder / "evaluation"
    commands.odapi("eval", str(folder), "--output", str(output))
    run = Run(name, seed, cost, commands.metrics_of(output))
    (folder / _RUN).write_text(json.dumps(dataclasses.asdict(run)))
    return run


def known(name: str) -> list[Run]:
    """Returns the runs that are there, by seed."""
    found = []
    for file in (ROOT / "runs" / "bccd").glob(f"{name}-*/{_RUN}"):
        values = json.loads(file.read_text())
        found.append(Run(**values | {"cost": commands.Cost(**values["cost"])}))
    return sorted(found, key=lambda run: run.seed)


def write(name: str, runs: list[Run], note: str) -> None:
    """Writes the table and the images of the first run."""
    head = ["run", "mAP", "mAP@.50", "seconds", "seconds of all cores"]
    rows = [run.row for run in runs]
    if name == "original":
        theirs = [f"{ORIGINAL['mAP']}", f"{ORIGINAL['mAP50']}"]
        rows.insert(0, ["the original", *theirs, f"{ORIGINAL['seconds']:.0f}", "-"])
    text = f"# BCCD, {name}\n\n`python -m benchmarks.real_data.bccd {name}`: {note}\n\n"
    text += table(head, rows)
    (RESULTS / f"bccd_{name}.md").write_text(text)
    print(text)
    folder = ROOT / "runs" / "bccd" / f"{runs[0].name}-{runs[0].seed}"
    for source, picture, side in (
        (folder / "curves.png", f"bccd_{name}_curves.png", 0),
        (folder / "evaluation" / "mosaic.png", f"bccd_{name}.jpg", 1600),
    ):
        commands.keep_picture(source, picture, side)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("which", choices=["original", "recipe"])
    parser.add_argument("--seeds", type=int, nargs="+", default=None)
    arguments = parser.parse_args()
    if arguments.which == "original":
        config, split, cores, seeds = (
            SHARED / "configs" / "baseline" / "bccd_fpnlite_320.config",
            *("train", 1, [0, 1, 2]),
        )
        note = (
            "the recipe of the TF Object Detection API (the original), 800 steps of "
            "batch 8 on one core."
        )
    else:
        config, split, cores, seeds = (
            ROOT / "recipes" / "bccd_fpnlite_320.config",
            *("trainval", 0, [0, 1, 2]),
        )
        config_name = "recipes/bccd_fpnlite_320.config"
        note = f"{config_name}, trained on train and val, {os.cpu_count()} cores."
    seeds = arguments.seeds or seeds
    for seed in seeds:
        train(config, arguments.which, seed, split, cores)
        write(arguments.which, known(arguments.which), note)


if __name__ == "__main__":
    main()
