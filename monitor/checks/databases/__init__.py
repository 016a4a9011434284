"""Conversations with databases, and what is expected of their rows."""
