"""The data path: callers on one side, providers on the other, one request's life between them."""
