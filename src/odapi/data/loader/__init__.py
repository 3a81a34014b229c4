"""The input pipeline: order, loading, collation, threads and processes."""
