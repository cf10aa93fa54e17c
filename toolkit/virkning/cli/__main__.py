"""Start the command as ``python -m virkning.cli``."""

from . import main

main()
