"""Parts of the design ``interrupted_time_series``: means over time and their trend."""
