"""OpenVINO IR: writing from ONNX, and running."""
