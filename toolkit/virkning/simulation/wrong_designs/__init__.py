"""Wrong designs are caught: for each check a world in which its assumption fails, and one in which all is well."""

from collections.abc import Mapping
from types import MappingProxyType

from . import choices, groups, over_time
from .measure import Alarms, measure_alarms
from .scene import Scene

SCENES: Mapping[str, Scene] = MappingProxyType(
    {scene.name: scene for scene in (*groups.SCENES, *over_time.SCENES, *choices.SCENES)}
)

__all__ = ["SCENES", "Alarms", "Scene", "measure_alarms"]
