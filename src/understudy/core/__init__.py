"""The vocabulary of the house: requests, events, faults, outcomes, settings. Pure data, no I/O."""
