"""The configuration file, read strictly: YAML in, fleet and settings out."""
