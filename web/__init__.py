"""Vigía's showing side: the page, its feeds and the metrics address."""
