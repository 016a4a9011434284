"""Vigía's watching side: what is looked at, what it means, who is told."""

__version__ = "0.1.0"
