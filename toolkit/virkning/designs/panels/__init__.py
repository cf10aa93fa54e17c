"""Parts of the design ``panel``: regressions of persons over time."""
