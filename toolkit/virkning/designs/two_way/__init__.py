"""Parts of the design ``difference_in_differences``: two groups, before and after."""
