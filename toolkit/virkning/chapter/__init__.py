"""What a notebook holds: its programme, its data and the results so far, and one way to show them.

A notebook opened by hand has no run folder; then everything is computed on the spot from the same code, so it shows the
same numbers.
"""

from .exhibits import Chapter

__all__ = ["Chapter"]
