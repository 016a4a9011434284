"""Runs looks: concurrency, deadlines, phases, the libcurl loop, the resolver."""
