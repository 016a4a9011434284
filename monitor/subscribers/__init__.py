"""Who asked to be told, and the channels that reach them."""
