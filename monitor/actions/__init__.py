"""The verbs of the service, one a file: load, decide, append."""
