"""Sphinx at work: builds staged pages in a process of its own, forked from one that has done its imports.

Sphinx keeps global state, so no two builds share a process; and most of a small book's time is importing it.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import re
import sys
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

from .engine import ENVIRONMENT, ForkServer
from .errors import BookError

_SETTINGS = {**ENVIRONMENT, "SOURCE_DATE_EPOCH": "0", "NO_COLOR": "1"}
# What a build imports. A build that needs more imports it then.
_IMPORTS = (
    "jupyter_book.cli.main",
    "jupyter_book.config",
    "jupyter_book.sphinx",
    "myst_nb.sphinx_ext",
    "pybtex.plugin",
    "sphinx.builders.html",
    "sphinx.environment.collectors.toctree",
    "sphinx.search.en",
    "sphinx.transforms.post_transforms.images",
    "sphinx.writers.html5",
    "sphinx_book_theme",
    "sphinx_comments",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_external_toc",
    "sphinx_multitoc_numbering",
    "sphinx_togglebutton",
    "sphinxcontrib.bibtex",
)
# A large book on a busy machine; a build says nothing while it works.
LIMIT_SECONDS = 3600.0


def open_server() -> ForkServer:
    """Start a process that imports Sphinx while the caller goes on, and then forks a child for every build."""
    return ForkServer([f"{__name__}:prepare_server"], environment=_SETTINGS)


# What a build asks again and again, and what answers the same each time: pybtex looks through all installed packages
# for each citation, and the search index takes the ending off each word anew on every page: a third of a build.
_ASKED_AGAIN = (("pybtex.plugin", "entry_points"), ("sphinx.search.en.SearchEnglish", "stem"))


def prepare_server() -> None:
    """Do the imports; runs in the server."""
    for name in _IMPORTS:
        with suppress(ImportError):
            importlib.import_module(name)
    for place, name in _ASKED_AGAIN:
        with suppress(ImportError, AttributeError):
            owner = pkgutil.resolve_name(place)
            setattr(owner, name, cache(getattr(owner, name)))


def build_html(source: Path, out: Path, server: ForkServer | None = None) -> None:
    """Build staged pages; a warning is an error.

    Parameters
    ----------
    source : Path
        Holds the pages, ``_config.yml`` and ``_toc.yml``.
    out : Path
        Gets ``_build/html``.
    server : ForkServer, optional
        Of :func:`open_server`; by default one that serves this build only.

    Raises
    ------
    BookError
        The build failed or warned; with the telling lines, and no path of this machine.
    """
    function = f"{__name__}:build_here"
    if server is None:
        with open_server() as own:
            code, said = own.call(function, str(source), str(out), timeout_seconds=LIMIT_SECONDS)
    else:
        code, said = server.call(function, str(source), str(out), timeout_seconds=LIMIT_SECONDS)
    if code == 0 and (out / "_build" / "html" / "index.html").is_file():
        return
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line.replace(f"{source}{os.sep}", "")) for line in said.splitlines()]
    telling = [line for line in lines if re.search(r"WARNING|ERROR|[Ee]xception|rror:", line)] or lines[-5:]
    raise BookError(
        "book.build_failed",
        "Jupyter Book could not build the pages:\n  " + "\n  ".join(telling[:12]),
        where=telling[0].split(":")[0] if telling else "the build",
        why="A book with warnings has broken links, citations or formulas.",
        do="Mend the named page. The book that was there before is untouched.",
    )


def arguments(source: str, out: str) -> list[str]:
    """Return what ``jupyter-book`` is told.

    Parameters
    ----------
    source, out : str
        Folders, as of :func:`build_html`.
    """
    settings = ["--toc", f"{source}/_toc.yml", "--config", f"{source}/_config.yml"]
    return ["build", source, "--path-output", out, *settings, "-W", "-n", "--keep-going", "-q"]


def build_here(source: str, out: str) -> tuple[int, str]:
    """Build pages in this process, which must end afterwards; return the exit code and everything that was said.

    Parameters
    ----------
    source, out : str
        Folders, as of :func:`build_html`.
    """
    from jupyter_book.cli.main import main

    with tempfile.TemporaryFile() as said:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        for descriptor in (1, 2):
            os.dup2(said.fileno(), descriptor)
        code = _exit_code(main, arguments(source, out))
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        said.seek(0)
        return code, said.read().decode(errors="replace")


def _exit_code(main: object, given: list[str]) -> int:
    assert callable(main)
    try:
        main(args=given, prog_name="jupyter-book", standalone_mode=True)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    except Exception as error:  # noqa: BLE001 - what was said before it tells more
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    return 0
