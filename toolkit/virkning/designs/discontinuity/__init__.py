"""Parts of the design ``regression_discontinuity``: local fits at a cutoff."""
