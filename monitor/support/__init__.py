"""The support desk's promises: departments and the hours in which they answer. Pure."""
