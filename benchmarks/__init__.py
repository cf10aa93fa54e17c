"""How fast the estimators are beside the libraries that a user would pick instead; ``make bench`` runs all of it."""
