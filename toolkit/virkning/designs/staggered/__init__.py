"""Parts of the design ``staggered_adoption``: effects by cohort and period."""
