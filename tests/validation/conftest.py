"""These tests find the packages that a user would pick instead, after everything that the project itself uses."""

import sys
from collections.abc import Iterator
from pathlib import Path

# pandas and pandera decide at their import how they keep text: they must not find the peers' packages then.
import pandas as pd
import pandera.pandas
import pytest

PEERS = Path(__file__).parents[2] / ".venv" / "peers"


@pytest.fixture(scope="module", autouse=True)
def peers() -> Iterator[None]:
    """Let the peers be found while these tests run, and no longer: a run notes down every package that it can find."""
    assert pd.__version__
    assert pandera.__version__
    if not PEERS.is_dir():
        yield
        return
    sys.path.append(str(PEERS))
    yield
    sys.path.remove(str(PEERS))
