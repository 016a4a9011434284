"""When to look: a pure timetable, and the scheduler that fires rhythms and calendars."""
