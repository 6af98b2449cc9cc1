"""A stand-in for the providers: answers in every dialect, and fails on request.

`serve` starts one inside this process; its `board` says what goes wrong and tells what was asked.
"""

from understudy.mock.board import Attempt, Board
from understudy.mock.capacity import Capacity
from understudy.mock.catalogue import CATALOGUE, CatalogueEntry
from understudy.mock.limits import Limit
from understudy.mock.pace import Pace
from understudy.mock.reply import Where
from understudy.mock.rules import FaultRule, parse_rule
from understudy.mock.server import MockServer, run, serve

__all__ = [
    "CATALOGUE",
    "Attempt",
    "Board",
    "Capacity",
    "CatalogueEntry",
    "FaultRule",
    "Limit",
    "MockServer",
    "Pace",
    "Where",
    "parse_rule",
    "run",
    "serve",
]
