"""Conversations with mail servers."""
