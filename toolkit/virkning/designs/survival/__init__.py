"""Parts of the design ``duration``: curves and follow-up of times to an event."""
