"""These tests find the packages that a user would pick instead, after everything that the project itself uses."""

import sys
from pathlib import Path

# pandas and pandera decide at their import how they keep text: they must not find the peers' packages then.
import pandas as pd
import pandera.pandas

PEERS = Path(__file__).parents[2] / ".venv" / "peers"
if str(PEERS) not in sys.path and PEERS.is_dir():
    assert pd.__version__
    assert pandera.__version__
    sys.path.append(str(PEERS))
