"""Evaluation results as files: JSON and one CSV row per class."""

import csv
import dataclasses
import pathlib
from typing import Any

from odapi.evaluation.result import EvaluationResult
from odapi.files import atomic_open, unwritable


def as_json(result: EvaluationResult) -> dict[str, Any]:
    """Returns an evaluation result as JSON content."""
    return {
        "metrics": result.metrics,
        "categories": [dataclasses.asdict(row) for row in result.categories],
        "explanations": result.explanations,
        "hints": list(result.hints),
        "num_images": result.num_images,
        "num_objects": result.num_objects,
        "skipped": result.skipped,
        "problems": result.problems.as_dict() if result.problems else [],
        "seconds": round(result.seconds, 3),
        "step": result.step,
        "model": result.model,
        "parameters": result.num_parameters,
    }


def write_categories(path: pathlib.Path, result: EvaluationResult) -> pathlib.Path:
    """Writes a CSV file with one row per class.

    Raises:
        DataError: The file cannot be written.
    """
    try:
        with atomic_open(path, "w") as file:
            rows = [dataclasses.asdict(row) for row in result.categories]
            writer = csv.DictWriter(file, rows[0] if rows else ["name"])
            writer.writeheader()
            writer.writerows(rows)
    except OSError as error:
        raise unwritable(path, error) from error
    return path
