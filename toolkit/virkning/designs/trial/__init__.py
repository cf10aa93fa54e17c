"""Parts of the design ``randomised_trial``: comparisons of groups drawn by lot."""
