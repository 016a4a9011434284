"""A small fleet of real servers on this machine, with scripted faults and a made-up past, for a first look."""
