"""Where the things that are not code are found: notebooks, chapters, schemas, example programmes; files of a run.

In a clone they stand at the root; in an installed wheel they stand inside the package. Everything else asks here.
"""

from __future__ import annotations

from pathlib import Path

from .errors import ProgrammeError, did_you_mean

# What makes a folder a programme.
SPECIFICATION = "programme.yml"
# Files in the folder of a run: what went in, the estimates, and, while it is under way, what the one chapter that works
# there may read and leave.
RECORD, EFFECTS, SCOPE = "record.json", "results/effects.json", "scope.json"
_INSIDE = Path(__file__).parent / "shipped"
_CLONE = Path(__file__).parents[2]


def folder(name: str) -> Path:
    """Return the folder (or file) of that name among the shipped resources.

    Parameters
    ----------
    name : str
        ``notebooks``, ``book``, ``data_schemas``, ``programmes`` or ``_config.yml``.
    """
    return (_INSIDE if _INSIDE.is_dir() else _CLONE) / name


def example(name: str) -> Path:
    """Return the folder of a shipped programme, such as ``nsw``."""
    return folder("programmes") / name


def find_programme(place: str | Path) -> Path:
    """Return the folder of a programme.

    Raises
    ------
    ProgrammeError
        There is no folder, or it holds no specification.
    """
    text = str(place)
    candidates = [Path(place)]
    if Path(text).name == text:
        candidates += [Path("programmes") / text, example(text)]
    for candidate in candidates:
        if (candidate / SPECIFICATION).is_file():
            return candidate.resolve()
    if any(candidate.is_dir() for candidate in candidates):
        raise ProgrammeError(
            "programme.no_specification",
            f"The folder has no {SPECIFICATION}.",
            where=text,
            why="A programme is a folder with a specification.",
            do=f"Name the folder that holds {SPECIFICATION}, or start one with: virkning init FOLDER",
        )
    known = known_programmes()
    raise ProgrammeError(
        "programme.not_found",
        f"There is no programme «{text}».",
        where="looked for a folder of that name, below programmes/, and among the shipped programmes",
        do=did_you_mean(text, known) or "Start one with: virkning init FOLDER",
    )


def known_programmes() -> list[str]:
    """Return the names of the programmes below ``programmes/`` here and among the shipped ones."""
    places = [Path("programmes"), folder("programmes")]
    return sorted(
        {
            item.name
            for place in places
            if place.is_dir()
            for item in place.iterdir()
            if (item / SPECIFICATION).is_file()
        }
    )
