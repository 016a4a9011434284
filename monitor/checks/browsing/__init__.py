"""A look at a web address: what is sent, where it leads, what comes back and what is expected of it."""
