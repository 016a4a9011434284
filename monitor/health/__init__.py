"""The judgement of health: looks go in, confirmed states come out. Pure."""
