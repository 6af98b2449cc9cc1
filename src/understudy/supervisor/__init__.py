"""Several workers on one machine, as one product: started, watched, replaced, told."""

from understudy.supervisor.seat import Seat
from understudy.supervisor.supervisor import Plan, supervise

__all__ = ["Plan", "Seat", "supervise"]
