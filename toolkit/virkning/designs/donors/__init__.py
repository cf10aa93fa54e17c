"""Parts of the design ``synthetic_control``: units that together stand in for the treated one."""
