"""What holds for every test."""

from hypothesis import settings

# No test is timed: a busy machine is no fault of the code's.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
