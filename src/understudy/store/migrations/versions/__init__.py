"""One file a change of the schema, in a line. Each leaves room for the program before it."""
