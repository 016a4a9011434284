"""The only place where concrete things meet: the store, the clock, the prober, the helpdesk."""
