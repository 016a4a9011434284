"""Metrics, and the two questions that machines ask: alive, and fit to serve."""
