"""Incidents: what they are, how they live, when one opens, and their words. Pure."""
