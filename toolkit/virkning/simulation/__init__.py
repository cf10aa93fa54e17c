"""Made-up worlds in which the truth is known: how far each design's estimates and intervals can be trusted.

Each design has a world that honours its assumptions. ``make validate`` draws it a thousand times and writes, for every
way to estimate, the bias and how often the interval holds the truth into the book. Each check has a world in which
its assumption fails (``wrong_designs``): how often it says so stands in the book as well.
"""

from .coverage import Reliability, measure_reliability
from .recorded import read_record, reliability
from .worlds import WORLDS, World
from .wrong_designs.recorded import alarms

__all__ = ["WORLDS", "Reliability", "World", "alarms", "measure_reliability", "read_record", "reliability"]
