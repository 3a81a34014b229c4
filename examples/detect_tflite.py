"""Detects objects in one image with LiteRT alone: python detect_tflite.py MODEL IMAGE.

MODEL is written by `odapi export ... --format tflite`, in any precision.
pip install ai-edge-litert numpy opencv-python-headless
"""

import sys

import cv2
from ai_edge_litert.interpreter import Interpreter

detect = Interpreter(model_path=sys.argv[1]).get_signature_runner()
_, height, width, _ = detect.get_input_details()["input_tensor"]["shape"]
image = cv2.cvtColor(cv2.imread(sys.argv[2]), cv2.COLOR_BGR2RGB)
found = detect(input_tensor=cv2.resize(image, (width, height))[None])
rows, columns = image.shape[:2]
for box, score, kind in zip(
    found["detection_boxes"][0],
    found["detection_scores"][0],
    found["detection_classes"][0],
    strict=True,
):
    if score >= 0.5:
        top, left, bottom, right = box * (rows, columns, rows, columns)
        place = f"{left:.0f},{top:.0f} {right:.0f},{bottom:.0f}"
        print(f"class {kind:.0f} {score:.2f} at {place}")
