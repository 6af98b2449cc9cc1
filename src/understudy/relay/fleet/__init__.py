"""The processes that serve together: what they tell each other, and who does what for all."""

from understudy.relay.fleet.fleet import Fleet
from understudy.relay.fleet.hand import Hand
from understudy.relay.fleet.records import Records
from understudy.relay.fleet.tidings import Tidings

__all__ = ["Fleet", "Hand", "Records", "Tidings"]
