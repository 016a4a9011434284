"""Conversations with SSH, FTP and directory servers."""
