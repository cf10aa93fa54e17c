"""What a new programme starts from: a folder with synthetic data that builds at once, and schemas to fill in."""

from __future__ import annotations

import json
import re
import shutil
import unicodedata
from pathlib import Path

import numpy as np

from .contract import ContractFile
from .data import DataSpecification, TableSchema, load_schema, synthetic_programme_tables, synthetic_table, template_csv
from .economy import EconomySpecification
from .errors import UsageError, did_you_mean
from .estimand import Outcome
from .programme import Programme, ProgrammeSpecification
from .provenance import cannot_write
from .resources import folder as resource
from .specification import Specification, read_document

TEMPLATE = ".template"
N_PERSONS = 400
# True effects in the synthetic data, in each measure's unit, so that a first book has something to find.
TRUE_EFFECTS = {"is_employed": 0.15, "days_worked": 12.0}


def start(folder: Path) -> None:
    """Make a new programme's folder with synthetic data.

    Parameters
    ----------
    folder : Path
        Must not exist, or be empty.

    Raises
    ------
    UsageError
        There is something there already.
    VirkningError
        The folder cannot be written; then nothing is left of it.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(
            "usage.folder_exists",
            "There is something in that place already.",
            where=folder.name,
            why="A new programme never writes over what is there.",
            do="Name a folder that does not exist yet.",
        )
    existed = folder.is_dir()
    name = short_name(folder.resolve().name)
    title = folder.resolve().name.replace("-", " ").replace("_", " ").strip() or name
    try:
        (folder / "data").mkdir(parents=True)
        for template in sorted(resource("programmes").glob(f"starter/*{TEMPLATE}")):
            text = (
                template.read_text(encoding="utf-8")
                .replace("{{id}}", name)
                .replace("{{title}}", json.dumps(title, ensure_ascii=False))
            )
            (folder / template.name.removesuffix(TEMPLATE)).write_text(text, encoding="utf-8")
        outcomes = {
            measure: Outcome.model_validate(values)
            for measure, values in read_document(folder / "programme.yml", "programme.yml").values["outcomes"].items()
        }
        tables = synthetic_programme_tables(outcomes, TRUE_EFFECTS, np.random.default_rng(1), n=N_PERSONS)
        for table, file in zip(tables, ("participants.csv", "outcomes.csv"), strict=True):
            table.to_csv(folder / "data" / file, index=False, lineterminator="\n")
    except OSError as error:
        if not existed:
            shutil.rmtree(folder, ignore_errors=True)
        raise cannot_write(error, folder.name) from None


def short_name(text: str) -> str:
    """Return a programme id made of a folder's name: small letters, digits and hyphens.

    >>> short_name("Æblehave 2")
    'aeblehave-2'
    """
    spelt = text.lower().replace("æ", "ae").replace("ø", "oe").replace("å", "aa").replace("ß", "ss")
    plain = unicodedata.normalize("NFKD", spelt).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-")
    return name if re.fullmatch(r"[a-z][a-z0-9-]+", name) else f"programme-{name}".strip("-")


def schema_text(name: str, *, form: str, programme: str | None, n_rows: int, seed: int) -> str:
    """Return a schema as text.

    Parameters
    ----------
    name : str
        ``programme``, ``contract`` or ``economy`` for the JSON Schema of that file, or the name of a table.
    form : {'json', 'template', 'synthetic'}
        Of a table: its Table Schema, an empty CSV, or a synthetic CSV that passes validation.
    programme : str, optional
        Add the columns of this programme.
    n_rows, seed : int
        For synthetic data.

    Raises
    ------
    UsageError
        There is no such schema, or the form does not fit.
    """
    documents: dict[str, type[Specification]] = {
        "programme": ProgrammeSpecification,
        "contract": ContractFile,
        "economy": EconomySpecification,
    }
    if name in documents:
        if form != "json":
            raise UsageError(
                "usage.schema_form", f"The schema of a {name} is JSON only.", where=name, do="Leave out --as."
            )
        return json.dumps(documents[name].model_json_schema(by_alias=True), indent=2, ensure_ascii=False)
    known = sorted(path.stem for path in resource("data_schemas").glob("*.json"))
    if name not in known:
        raise UsageError(
            "usage.unknown_schema",
            f"There is no schema «{name}».",
            where="schema",
            do=did_you_mean(name, [*known, *documents]),
        )
    schema = _table_schema(name, programme)
    if form == "template":
        return template_csv(schema)
    if form == "synthetic":
        return synthetic_table(schema, n_rows, np.random.default_rng(seed)).to_csv(index=False, lineterminator="\n")
    return json.dumps(
        schema.model_dump(mode="json", by_alias=True, exclude_defaults=True), indent=2, ensure_ascii=False
    )


def _table_schema(name: str, programme: str | None) -> TableSchema:
    if programme is None or name not in DataSpecification.model_fields:
        return load_schema(name)
    return load_schema(name, getattr(Programme.read(programme).data, name).fields)
