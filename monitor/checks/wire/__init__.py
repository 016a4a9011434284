"""Ways to a peer: checked addresses, streams with one deadline, TLS, borrowed sockets, datagrams."""
