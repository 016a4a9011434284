"""Programs of others, run within bounds, and the figures that they print."""
