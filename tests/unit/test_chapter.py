"""Every exhibit of every chapter can be made for the barest programme, and for one whose effect cannot be estimated."""

import re
from pathlib import Path

import nbformat
import pandas as pd
import pytest
import yaml

from virkning.chapter import Chapter
from virkning.designs.steps import is_step
from virkning.programme import Programme
from virkning.report import Exhibit
from virkning.report.front_page import answers
from virkning.report.sentences import term_label
from virkning.resources import folder as resource
from virkning.run.chapters import chapters_of
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
    "several periods": {
        "type": "difference_in_differences",
        "sampling": "panel",
        "before": ["-24", "0"],
        "after": ["12"],
        "alternatives": [{"estimator": "two_by_two", "standard_errors": "classical"}],
    },
    "staggered adoption": {"type": "staggered_adoption", "periods": ["-24", "0", "12"]},
    "before and after": {"type": "before_after", "before": ["-24", "0"]},
    "instrument": {
        "type": "instrumental_variables",
        "treatment": "is_previously_employed",
        "instruments": ["is_treated"],
    },
}


def with_periods_before(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return the outcomes with the same persons' outcomes at two earlier periods, shuffled."""
    earlier = []
    for seed, period in enumerate(("-24", "0")):
        rows = outcomes.sample(frac=1, random_state=seed).sort_values("measure", kind="stable")
        shuffled = pd.Series(rows["value"].to_numpy(), index=outcomes.sort_values("measure", kind="stable").index)
        earlier.append(outcomes.assign(period=period, value=shuffled))
    return pd.concat([*earlier, outcomes])


def start_in_two_periods(folder: Path) -> None:
    """Let the persons start in two periods, and describe the column."""
    people = pd.read_csv(folder / "data/participants.csv", dtype=str)
    starts = pd.Series(["0", "12"] * len(people))[: len(people)]
    people["first_treated_period"] = starts.where(people["is_treated"].str.lower() == "true", "")
    people.to_csv(folder / "data/participants.csv", index=False)
    file = folder / "programme.yml"
    values = yaml.safe_load(file.read_text(encoding="utf-8"))
    values["data"]["participants"]["fields"].append(
        {"name": "first_treated_period", "type": "string", "title": "Month of the start"}
    )
    file.write_text(yaml.safe_dump(values), encoding="utf-8")


def with_an_economy(folder: Path) -> None:
    """Let the primary outcome be worth something, and the programme cost something."""
    outcomes = yaml.safe_load((folder / "programme.yml").read_text(encoding="utf-8"))["outcomes"]
    measure, outcome = next((name, given) for name, given in outcomes.items() if given.get("primary"))
    made = {"currency": "DKK", "price_year": 2024, "source": "a test"}
    price = {"label": "One", "value": 1_000, "low": 500, "high": 1_200, "per": outcome["unit"], "every": "year"}
    cost = {"label": "All", "kind": "running", "amount": 300, "per": "participant", "payer": "town"}
    line = {
        "label": "Gain",
        "outcome": measure,
        "subject": "gain",
        "price": "one",
        "gains": "town",
        "duration_years": 4,
    }
    economy = {
        "currency": "DKK",
        "price_year": 2024,
        "start_year": 2024,
        "horizon_years": 6,
        "people": {"intake": {0: 100}},
        "parties": {"town": {"label": "the town", "kind": "public"}},
        "costs": {"all": {**cost, **made}},
        "prices": {"one": {**price, **made, "grade": "D"}},
        "consequences": {"gain": line},
    }
    (folder / "economy.yml").write_text(yaml.safe_dump(economy), encoding="utf-8")


@pytest.fixture(params=["bare", "no spread", "nobody in one arm", "as started", "with an economy", *DESIGNS])
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
    if request.param == "instrument":
        # What was taken up is no sign of vulnerability at the start.
        values["vulnerability"] |= {"components": values["vulnerability"]["components"][1:], "most_vulnerable_from": 1}
    file.write_text(yaml.safe_dump(values), encoding="utf-8")
    outcomes = pd.read_csv(data, dtype={"participant_id": str})
    if request.param == "no spread":
        outcomes["value"] = 1.0
    if request.param == "nobody in one arm":
        people = pd.read_csv(tmp_path / "mine/data/participants.csv", dtype={"participant_id": str})
        kept = people.loc[people["is_treated"], "participant_id"]
        outcomes = outcomes[outcomes["participant_id"].isin(kept)]
    if request.param in ("difference in differences", "several periods", "staggered adoption", "before and after"):
        outcomes = with_periods_before(outcomes)
    if request.param == "staggered adoption":
        start_in_two_periods(tmp_path / "mine")
    outcomes.to_csv(data, index=False)
    if request.param == "with an economy":
        with_an_economy(tmp_path / "mine")
    if request.param == "before and after":
        everybody = tmp_path / "mine/data/participants.csv"
        pd.read_csv(everybody, dtype=str).assign(is_treated="true").to_csv(everybody, index=False)
    return tmp_path / "mine"


def test_every_cell_of_every_chapter_shows_an_exhibit_or_nothing(place: Path) -> None:
    """The cells are run as plain code, which is what a notebook opened by hand does."""
    shown: list[object] = []
    # A planned programme has a chapter of its own; tests/book looks at it.
    for path in sorted(resource("notebooks") / f"{entry.source}.ipynb" for entry in chapters_of(Programme.read(place))):
        names: dict[str, object] = {"display": lambda *objects: shown.extend(objects)}
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type != "code":
                continue
            if "parameters" in cell.metadata.get("tags", []):
                names |= {"programme": str(place), "changes": {}, "run": ""}
                continue
            source = re.sub(r"^from IPython.display import display$", "", cell.source, flags=re.MULTILINE).strip()
            *body, last = source.split("\n")
            is_expression = re.match(r"(chapter\.|vk\.report\.|economy\.)", last) and "=" not in last.split("(")[0]
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


def test_steps_of_a_path_are_kept_but_are_no_alternatives(place: Path) -> None:
    """A page lists answers to one question; what the design shows along time has a figure of its own."""
    chapter = Chapter(str(place))
    for estimate in chapter.effects.values():
        terms = estimate.effects["term"].tolist()
        kept = [term for term in terms if not re.match(r"(event|cohort|period|return)\b", term)]
        shown = chapter.effects_table(estimate).frame
        assert len(shown) == len(kept)
        if not estimate.is_available:
            continue
        assert answers(estimate)["term"].tolist() == kept
        assert shown["value"].iloc[0] == estimate.headline().value
        if len(terms) == len(kept):
            continue
        assert len(chapter.findings(estimate)) > 0
        figure = chapter.effects_figure(estimate).text
        assert all(term_label(term) in figure for term in kept)
        assert not any(term_label(term) in figure for term in set(terms) - set(kept))


@pytest.mark.parametrize(
    ("term", "is_a_step"),
    [
        ("event, 1977", True),
        ("event +1", True),
        ("cohort 2004", True),
        ("period 2006", True),
        ("return, two periods", True),
        ("change beyond return, two periods", False),
        ("two_by_two, clustered", False),
        ("group", False),
        ("eventually, hc1", False),
    ],
)
def test_steps_are_told_by_their_first_word(term: str, is_a_step: bool) -> None:
    assert is_step(term) is is_a_step
