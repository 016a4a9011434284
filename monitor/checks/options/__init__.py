"""What the options of many kinds are made of, and how they are said in a shell."""
