"""The time series of looks, and the small things that the processes note for each other.

Written hot into a table that is only appended to; closed hours are settled to their place and rolled up; what is too
old goes in small slices.
"""

from monitor.store.observations.looks import Point, Step, looks, series
from monitor.store.observations.measures import Figure, last_measures, measure_series
from monitor.store.observations.memories import forget
from monitor.store.observations.newest import last_edition, newest, note_newest
from monitor.store.observations.notes import beat, forget_beat, installation_id, note, publish
from monitor.store.observations.recording import record, save_healths
from monitor.store.observations.retention import Keep, prune, rows_after
from monitor.store.observations.settling import settle

__all__ = [
    "Figure",
    "Keep",
    "Point",
    "Step",
    "beat",
    "forget",
    "forget_beat",
    "installation_id",
    "last_edition",
    "last_measures",
    "looks",
    "measure_series",
    "newest",
    "note",
    "note_newest",
    "prune",
    "publish",
    "record",
    "rows_after",
    "save_healths",
    "series",
    "settle",
]
