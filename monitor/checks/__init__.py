"""Every kind of check, one a file; KINDS is the only registry."""
