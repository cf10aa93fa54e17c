"""Parts of the design ``matched_comparison``: matching, weighting and regression of comparison groups."""
