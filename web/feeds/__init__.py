"""RSS and Atom: incidents that grow, and every update by itself."""
