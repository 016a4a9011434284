"""The numbered record of every decision: entry kinds, their bodies, and what follows from each."""
