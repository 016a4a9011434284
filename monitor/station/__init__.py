"""The only place where concrete things meet: the store, the clock, the prober, the helpdesk."""

from monitor.station.reader import open_reader

__all__ = ["open_reader"]
