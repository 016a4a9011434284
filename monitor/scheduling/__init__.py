"""When to look: a pure timetable, and the scheduler that fires rhythms and calendars."""

from monitor.scheduling.scheduler import Scheduler
from monitor.scheduling.timetable import moment_of, newest_turn, phase

__all__ = ["Scheduler", "moment_of", "newest_turn", "phase"]
