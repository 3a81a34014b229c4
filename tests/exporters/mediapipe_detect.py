"""Detects with MediaPipe in an environment of its own: `python FILE MODEL IMAGE`.

Prints a JSON list of label, score and box (left, top, width, height in pixels).
"""

import json
import sys

import mediapipe
from mediapipe.tasks.python import BaseOptions
from mediapipe.tasks.python.vision import ObjectDetector, ObjectDetectorOptions

options = ObjectDetectorOptions(
    base_options=BaseOptions(model_asset_path=sys.argv[1]), max_results=-1
)
with ObjectDetector.create_from_options(options) as detector:
    found = detector.detect(mediapipe.Image.create_from_file(sys.argv[2])).detections
rows = []
for one in found:
    box, category = one.bounding_box, one.categories[0]
    place = (box.origin_x, box.origin_y, box.width, box.height)
    rows.append((category.category_name, category.score, place))
print("detections:" + json.dumps(rows))
