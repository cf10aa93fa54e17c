"""Parts of the design ``instrumental_variables``: two stages, and how strong the first is."""
