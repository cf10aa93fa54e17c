"""Data of nobody: random tables that keep every rule of a schema, and a whole made-up programme with a known effect."""

from __future__ import annotations

import math
import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import UsageError
from ..estimand import Outcome
from .schema import Constraints, Field, TableSchema, dtype

Array = NDArray[Any]

_CATEGORIES = 8
_MANY = 50
_CLASSES = {"d": string.digits, "w": string.ascii_letters + string.digits + "_"}
_PIECE = re.compile(
    r"(?:\\(?P<kind>[dw])|\\(?P<escaped>[^A-Za-z0-9])|\[(?P<set>[A-Za-z0-9_-]+)\]|(?P<plain>[^\\\[\](){}.*+?|^$]))"
    r"(?:(?P<sign>[*+?])|\{(?P<low>\d+)(?P<comma>,)?(?P<high>\d+)?\})?"
)

BASELINE_FIELDS: tuple[Field, ...] = (
    Field(
        name="age_years",
        type="integer",
        title="Age",
        description="Age at assignment.",
        unit="years",
        role="covariate",
        disclosure="quasi",
        constraints=Constraints(required=True, minimum=18, maximum=65),
    ),
    Field(
        name="education_years",
        type="integer",
        title="Schooling",
        description="Years of schooling completed before assignment.",
        unit="years",
        role="covariate",
        disclosure="quasi",
        constraints=Constraints(required=True, minimum=0, maximum=25),
    ),
    Field(
        name="is_previously_employed",
        type="boolean",
        title="Had a job in the year before",
        description="True for a person who had paid work in the twelve months before assignment.",
        role="covariate",
        disclosure="sensitive",
        constraints=Constraints(required=True),
    ),
)
"""The baseline columns of :func:`synthetic_programme_tables`."""


def synthetic_table(
    schema: TableSchema, n: int, generator: np.random.Generator, ids: Sequence[str] | None = None
) -> pd.DataFrame:
    r"""Return a random table that keeps every rule of its schema; no value is missing.

    Parameters
    ----------
    schema : TableSchema
    n : int
        Number of rows, at least 1.
    generator : numpy.random.Generator
    ids : sequence of str, optional
        Codes of persons for the column whose role is identifier: one for each row where the column names a row by
        itself, otherwise persons to draw from.

    Returns
    -------
    DataFrame
        ``n`` rows, the columns of the schema in its order and types.

    Raises
    ------
    UsageError
        A rule leaves too few values for so many rows, or a pattern is not a simple one: literal characters, ``\d``,
        ``\w`` and sets such as ``[A-Z]``, each with a repetition.
    """
    if n < 1:
        raise UsageError("usage.synthetic", "A synthetic table needs at least one row.", do="Ask for one row or more.")
    alone = {field.name for field in schema.fields if field.constraints.unique or schema.primary_key == (field.name,)}
    together = () if alone & set(schema.primary_key) else schema.primary_key
    columns: dict[str, Array] = {}
    for field in schema.fields:
        several = _CATEGORIES if field.type == "string" else _MANY
        wanted = n if field.name in alone or field.name in together else min(n, several)
        if ids is not None and field.role == "identifier":
            pool = np.array(list(dict.fromkeys(ids)), dtype=object)
        else:
            pool = _pool(field, wanted, schema.missing(field), generator)
        if field.name in alone and len(pool) < n:
            raise _too_few(field.name, n)
        columns[field.name] = pool
    drawn = _distinct_rows({name: columns[name] for name in together}, n, generator) if together else {}
    for field in schema.fields:
        pool = columns[field.name]
        if field.name not in drawn:
            given = ids is not None and field.role == "identifier"
            each_once = np.arange(n) if given else generator.permutation(len(pool))[:n]
            drawn[field.name] = pool[each_once if field.name in alone else generator.integers(0, len(pool), n)]
    series = {
        field.name: pd.Series(drawn[field.name], dtype=dtype(field, required=schema.is_required(field)))
        for field in schema.fields
    }
    return pd.DataFrame(series)


def _distinct_rows(pools: Mapping[str, Array], n: int, generator: np.random.Generator) -> dict[str, Array]:
    """Return ``n`` different combinations of the values in several pools."""
    sizes = [len(pool) for pool in pools.values()]
    numbers = _distinct_numbers(math.prod(sizes), n, generator)
    if len(numbers) < n:
        raise _too_few(", ".join(pools), n)
    rows: dict[str, Array] = {}
    for name, pool in pools.items():
        rows[name] = pool[[number % len(pool) for number in numbers]]
        numbers = [number // len(pool) for number in numbers]
    return rows


def _distinct_numbers(below: int, n: int, generator: np.random.Generator) -> list[int]:
    """Return up to ``n`` different whole numbers below ``below`` (which may be very large), in random order."""
    if below <= 4 * n:
        return [int(number) for number in generator.permutation(below)[:n]]
    found: dict[int, None] = {}
    while len(found) < n:
        for number in generator.integers(0, min(below, 2**62), n):
            found[int(number)] = None
    return list(found)[:n]


def _pool(field: Field, wanted: int, missing: frozenset[str], generator: np.random.Generator) -> Array:
    """Return different values that keep the rules of a column: as many as wanted, or as there are."""
    extra = wanted + len(missing)  # Some of the values may be texts that mean «no value».
    rules = field.constraints
    if rules.enum is not None:
        values = [value for value in dict.fromkeys(field.typed(item) for item in rules.enum) if _in_rules(value, field)]
    elif field.type == "boolean":
        values = [True, False]
    elif field.type == "string":
        values = _texts(field, extra, generator)
    elif field.type == "number":
        values = _numbers(field, extra, generator)
    else:
        low, high = _whole_bounds(field, extra)
        numbers = _distinct_numbers(high - low + 1, extra, generator)
        values = [np.datetime64(low + number, "D") if field.type == "date" else low + number for number in numbers]
    free = [value for value in values if not _means_missing(value, missing)]
    if not free:
        raise _too_few(field.name, 1)
    return np.array(
        free[: max(wanted, 1)] if rules.enum is None else free,
        dtype="datetime64[s]" if field.type == "date" else object,
    )


def _in_rules(value: Any, field: Field) -> bool:
    """Tell whether one of the allowed values keeps the other rules of its column too."""
    rules = field.constraints
    if isinstance(value, str):
        fits = rules.pattern is None or re.fullmatch(rules.pattern, value) is not None
        longest = math.inf if rules.max_length is None else rules.max_length
        return fits and value == value.strip() and (rules.min_length or 0) <= len(value) <= longest
    low, high = (None if bound is None else field.typed(bound) for bound in (rules.minimum, rules.maximum))
    return bool((low is None or value >= low) and (high is None or value <= high))


def _means_missing(value: Any, missing: frozenset[str]) -> bool:
    """Tell whether a reader of the table would take a value for «no value»."""
    if isinstance(value, int | float):
        numbers = pd.to_numeric(pd.Series(list(missing), dtype=object), errors="coerce")
        return not isinstance(value, bool) and value in numbers.to_list()
    return str(value)[:10] in missing if isinstance(value, pd.Timestamp) else str(value) in missing


def _whole_bounds(field: Field, wanted: int) -> tuple[int, int]:
    """Return the smallest and the largest whole number (for a date: day since 1970) that a column may hold."""
    usual = {"integer": (0, 100), "year": (2000, 2020), "date": (10957, 18627)}[field.type]
    rules = field.constraints
    low, high = (None if bound is None else _whole(field.typed(bound)) for bound in (rules.minimum, rules.maximum))
    span = max(usual[1] - usual[0], wanted)
    if low is None:
        low = usual[0] if high is None or high - usual[0] >= wanted else high - span
    if high is None:
        high = max(usual[1], low + span)
    # What a file can hold: 18 digits, and the years 0 to 9999.
    least, most = {"integer": (1 - 10**18, 10**18 - 1), "year": (0, 9999), "date": (-719162, 2932896)}[field.type]
    low, high = max(low, least), min(high, most)
    if low > high:
        raise _too_few(field.name, 1)
    return low, high


def _whole(bound: Any) -> int:
    return int((bound - pd.Timestamp(1970, 1, 1)).days) if isinstance(bound, pd.Timestamp) else int(bound)


def _numbers(field: Field, wanted: int, generator: np.random.Generator) -> list[float]:
    """Return different numbers within the bounds of a column."""
    rules = field.constraints
    low, high = (None if bound is None else field.typed(bound) for bound in (rules.minimum, rules.maximum))
    low = (0.0 if high is None or high > 1e-6 else high - 100.0) if low is None else low
    high = min(low + max(100.0, abs(low)), np.finfo(float).max) if high is None else high
    shares = generator.random(wanted)
    return list(dict.fromkeys(float(value) for value in np.clip(low * (1 - shares) + high * shares, low, high)))


@dataclass(frozen=True)
class _Piece:
    """A part of a pattern: which characters, and how many of them."""

    alphabet: str
    low: int
    high: int | None


def _texts(field: Field, wanted: int, generator: np.random.Generator) -> list[str]:
    """Return different texts that fit the pattern and the length of a column, the shortest first."""
    rules = field.constraints
    longest = math.inf if rules.max_length is None else rules.max_length
    pieces = [_Piece(string.ascii_lowercase, 1, None)] if rules.pattern is None else _pieces(rules.pattern, field.name)
    lengths = [piece.low for piece in pieces]
    texts: list[str] = []
    while len(texts) < wanted and sum(lengths) <= longest:
        places = [piece.alphabet for piece, length in zip(pieces, lengths, strict=True) for _ in range(length)]
        if len(places) >= max(rules.min_length or 0, 1):
            numbers = _distinct_numbers(math.prod(map(len, places)), wanted - len(texts), generator)
            texts += [_spelled(number, places) for number in numbers]
        longer = [i for i, piece in enumerate(pieces) if piece.high is None or lengths[i] < piece.high]
        if not longer:
            break
        lengths[max(longer, key=lambda i: len(pieces[i].alphabet))] += 1
    return [text for text in texts if text == text.strip()]


def _spelled(number: int, places: Sequence[str]) -> str:
    """Return the text that a number stands for when each place counts in its own alphabet."""
    characters = []
    for alphabet in places:
        number, index = divmod(number, len(alphabet))
        characters.append(alphabet[index])
    return "".join(characters)


def _pieces(pattern: str, name: str) -> list[_Piece]:
    """Return the parts of a simple pattern."""
    text = pattern.removeprefix("^")
    text = text[:-1] if text.endswith("$") and not text.endswith("\\$") else text
    pieces, position = [], 0
    while position < len(text):
        match = _PIECE.match(text, position)
        alphabet = _alphabet(match) if match else ""
        if match is None or not alphabet:
            raise UsageError(
                "usage.synthetic_pattern",
                f"No synthetic values can be made for the pattern of the column «{name}».",
                where=name,
                why="Only simple ones can be turned round: characters, \\d, \\w and sets like [A-Z], each repeated.",
                do="Write the pattern more simply, or list the allowed values as enum.",
            )
        pieces.append(_Piece(alphabet, *_repetition(match)))
        position = match.end()
    return pieces


def _alphabet(match: re.Match[str]) -> str:
    """Return the characters that one part of a pattern allows; none when the set is not a simple one."""
    if match["kind"]:
        return _CLASSES[match["kind"]]
    if match["set"] is None:
        return match["escaped"] or match["plain"]
    members = re.compile(f"[{match['set']}]")
    return "".join(
        character for character in string.ascii_letters + string.digits + "_-" if members.fullmatch(character)
    )


def _repetition(match: re.Match[str]) -> tuple[int, int | None]:
    """Return the smallest and the largest number of characters of one part of a pattern."""
    if match["sign"]:
        return {"*": (0, None), "+": (1, None), "?": (0, 1)}[match["sign"]]
    if match["low"] is None:
        return 1, 1
    low = int(match["low"])
    return low, int(match["high"]) if match["high"] else None if match["comma"] else low


def _too_few(name: str, n: int) -> UsageError:
    return UsageError(
        "usage.synthetic_values",
        f"The rules of «{name}» leave fewer than {n} different value{'' if n == 1 else 's'}.",
        where=name,
        why="A synthetic table must keep every rule of its schema.",
        do="Ask for fewer rows, or widen the rules.",
    )


def synthetic_programme_tables(
    measures: Mapping[str, Outcome],
    effects: Mapping[str, float],
    generator: np.random.Generator,
    *,
    n: int = 200,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the tables of a made-up randomised trial whose true effects are known.

    Half of the persons, drawn at random, are offered the programme. Without it, an amount has mean 100 and standard
    deviation about 30, a share mean 0.4 and a count mean 4; amounts rise with schooling and with earlier work, so that
    adjusting for them helps.

    Parameters
    ----------
    measures : mapping of str to Outcome
    effects : mapping of str to float
        True average effect on each measure, in its unit; 0 for a measure that is not named.
    generator : numpy.random.Generator
    n : int
        Number of persons, at least 4.

    Returns
    -------
    participants : DataFrame
        ``participant_id``, ``is_treated`` and the columns of :data:`BASELINE_FIELDS`; ``n`` rows.
    outcomes : DataFrame
        ``participant_id, period, measure, value``: one row per person and measure, at the measure's period.

    Raises
    ------
    UsageError
        Fewer than 4 persons, an effect on an unknown measure, or one that the measure cannot have.
    """
    unknown = sorted(set(effects) - set(measures))
    if n < 4 or unknown:
        what = f"There is no measure «{unknown[0]}»." if unknown else "A made-up trial needs at least 4 persons."
        raise UsageError(
            "usage.synthetic", what, do="Name effects of declared measures only, and ask for 4 persons or more."
        )
    width = max(4, len(str(n)))
    is_treated = generator.permutation(np.arange(n) < n // 2)
    education = np.clip(np.round(generator.normal(11, 2.5, n)), 0, 25).astype(np.int64)
    employed = generator.random(n) < 0.4
    participants = pd.DataFrame(
        {
            "participant_id": pd.Series([f"P{number:0{width}d}" for number in range(1, n + 1)], dtype="str"),
            "is_treated": is_treated,
            "age_years": generator.integers(18, 66, n),
            "education_years": education,
            "is_previously_employed": employed,
        }
    )
    rows = [
        pd.DataFrame(
            {
                "participant_id": participants["participant_id"],
                "period": pd.Series([outcome.period] * n, dtype="str"),
                "measure": pd.Series([measure] * n, dtype="str"),
                "value": _values(
                    measure, outcome, effects.get(measure, 0.0) * is_treated, education, employed, generator
                ),
            }
        )
        for measure, outcome in measures.items()
    ]
    return participants, pd.concat(rows, ignore_index=True)


def _values(
    measure: str, outcome: Outcome, effect: Array, education: Array, employed: Array, generator: np.random.Generator
) -> Array:
    """Return one value per person, given the true effect on each person."""
    if outcome.kind == "amount":
        helped = 4.0 * (education - 11) + 20.0 * (employed - 0.4)
        return np.round(100.0 + helped + effect + generator.normal(0, 26, len(effect)), 2)
    if outcome.kind == "log":
        return np.round(4.0 + 0.1 * (education - 11) + effect + generator.normal(0, 1, len(effect)), 4)
    base = 0.4 if outcome.kind == "share" else 4.0
    expected = base + effect
    if expected.min() < 0 or (outcome.kind == "share" and expected.max() > 1):
        raise UsageError(
            "usage.synthetic_effect",
            f"The measure «{measure}» cannot have such an effect: its mean without the programme is {base}.",
            do="Choose an effect that keeps a share between 0 and 1 and a count at 0 or above.",
        )
    if outcome.kind == "share":
        return (generator.random(len(effect)) < expected).astype(np.float64)
    return generator.poisson(expected).astype(np.float64)
