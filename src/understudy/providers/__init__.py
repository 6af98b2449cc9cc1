"""One vendor's manners a file: address, authorise, read its faults. Pure."""
