"""Detection metrics, computed on the host with NumPy.

The contract of every metric is `odapi.metrics.evaluator.Evaluator`.
"""
