"""Wire formats to and from the core vocabulary, without I/O."""
