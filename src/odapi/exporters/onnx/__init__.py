"""ONNX: writing with tf2onnx, and running in ONNX Runtime."""
