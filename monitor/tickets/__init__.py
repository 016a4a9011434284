"""Helpdesks: one port, one product a file, and the machine that delivers exactly one ticket per problem."""
