"""Every exhibit of every chapter can be made for the barest programme, and for one whose effect cannot be estimated."""

import re
from pathlib import Path

import nbformat
import pandas as pd
import pytest
import yaml

from virkning.chapter import Chapter
from virkning.report import Exhibit
from virkning.resources import folder as resource
from virkning.starter import start

OPTIONAL = ("partners", "tidier", "theory_of_change", "subgroups", "vulnerability", "publication")


WORDS = {"population": "people in the target group", "comparison": "the others"}
# Other designs on the data that a new programme starts with; two of them need a period before.
DESIGNS = {
    "matched comparison": {"type": "matched_comparison", "covariates": ["age_years", "education_years"]},
    "difference in differences": {
        "type": "difference_in_differences",
        "sampling": "panel",
        "before": ["0"],
        "after": ["12"],
    },
    "before and after": {"type": "before_after", "before": ["0"]},
    "instrument": {
        "type": "instrumental_variables",
        "treatment": "is_previously_employed",
        "instruments": ["is_treated"],
    },
}


def with_a_period_before(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return the outcomes with the same persons' outcomes at an earlier period, shuffled."""
    shuffled = outcomes.groupby("measure")["value"].transform(lambda v: v.sample(frac=1, random_state=1).to_numpy())
    return pd.concat([outcomes.assign(period="0", value=shuffled), outcomes])


@pytest.fixture(params=["bare", "no spread", "nobody in one arm", "as started", *DESIGNS])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    start(tmp_path / "mine")
    file, data = tmp_path / "mine/programme.yml", tmp_path / "mine/data/outcomes.csv"
    values = yaml.safe_load(file.read_text(encoding="utf-8"))
    if request.param == "bare":
        for key in OPTIONAL:
            del values[key]
        for key in ("covariates", "alternatives"):
            del values["design"][key]
    if request.param in DESIGNS:
        values["design"] = WORDS | DESIGNS[request.param]
        del values["subgroups"]["age"]
    file.write_text(yaml.safe_dump(values), encoding="utf-8")
    outcomes = pd.read_csv(data, dtype={"participant_id": str})
    if request.param == "no spread":
        outcomes["value"] = 1.0
    if request.param == "nobody in one arm":
        people = pd.read_csv(tmp_path / "mine/data/participants.csv", dtype={"participant_id": str})
        kept = people.loc[people["is_treated"], "participant_id"]
        outcomes = outcomes[outcomes["participant_id"].isin(kept)]
    if request.param in ("difference in differences", "before and after"):
        outcomes = with_a_period_before(outcomes)
    outcomes.to_csv(data, index=False)
    if request.param == "before and after":
        everybody = tmp_path / "mine/data/participants.csv"
        pd.read_csv(everybody, dtype=str).assign(is_treated="true").to_csv(everybody, index=False)
    return tmp_path / "mine"


def test_every_cell_of_every_chapter_shows_an_exhibit_or_nothing(place: Path) -> None:
    """The cells are run as plain code, which is what a notebook opened by hand does."""
    shown: list[object] = []
    for path in sorted(resource("notebooks").glob("*.ipynb")):
        names: dict[str, object] = {"display": lambda *objects: shown.extend(objects)}
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type != "code":
                continue
            if "parameters" in cell.metadata.get("tags", []):
                names |= {"programme": str(place), "changes": {}, "run": ""}
                continue
            source = re.sub(r"^from IPython.display import display$", "", cell.source, flags=re.MULTILINE).strip()
            *body, last = source.split("\n")
            is_expression = re.match(r"(chapter\.|vk\.report\.)", last) and "=" not in last.split("(")[0]
            exec("\n".join(body if is_expression else [*body, last]), names)
            if is_expression:
                shown.append(eval(last, names))
    assert len(shown) > 25
    assert all(isinstance(item, Exhibit) for item in shown)
    assert all(item.content.strip() for item in shown if isinstance(item, Exhibit))


def test_results_are_passed_on_through_the_run_folder(place: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    first, second = (Chapter(str(place), {}, str(run)) for _ in range(2))
    before = first.effects.to_json()
    assert (run / "results/effects.json").is_file()
    assert second.effects.to_json() == before
