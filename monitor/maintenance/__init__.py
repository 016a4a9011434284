"""Planned maintenance: windows as values, rules of recurrence as instants. Pure."""
