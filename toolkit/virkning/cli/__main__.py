"""Start the command as ``python -m virkning.cli``."""

from . import main

if __name__ == "__main__":
    main()
