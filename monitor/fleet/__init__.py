"""Servers, groups and checks as frozen, validated values."""

from monitor.fleet.fleet import CheckPlan, Department, Fleet, Group, PlannedWindow, Server, Site

__all__ = ["CheckPlan", "Department", "Fleet", "Group", "PlannedWindow", "Server", "Site"]
