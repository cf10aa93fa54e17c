"""The record of a run: other software reads it, it tells what happened, and it names no machine and no person."""

from __future__ import annotations

import getpass
import json
import os
import platform
import re
from pathlib import Path
from typing import Any

import pytest
from rocrate.rocrate import ROCrate

from virkning import chapter as chapters
from virkning.errors import BookError, UsageError, VerificationError
from virkning.programme import Programme
from virkning.record import (
    compare,
    find_run,
    lines,
    read_crate,
    recorded,
    stored_runs,
    verification,
    verify,
    write_page,
)
from virkning.record.exhibits import Compared, compare_exhibits, exhibits, readable
from virkning.record.stored import StoredRun
from virkning.record.surroundings import code_state, code_words, surroundings
from virkning.report import record as report_record

CHANGES = {"design.confidence": "0.90"}
CHAPTERS = ("effects", "programme")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, in_this_process: Any) -> StoredRun:
    """One run of two chapters, with one change."""
    done = recorded(
        Programme.read("nsw", CHANGES),
        root=tmp_path_factory.mktemp("runs"),
        kernels=in_this_process(),
        chapters=CHAPTERS,
    )
    return StoredRun(done.folder)


@pytest.fixture(scope="module")
def crate(run: StoredRun) -> ROCrate:
    return ROCrate(run.folder)


def one(crate: ROCrate, identifier: str) -> Any:
    found = crate.dereference(identifier)
    assert found is not None, identifier
    return found


def types(entity: Any) -> set[str]:
    return {entity.type} if isinstance(entity.type, str) else set(entity.type)


def test_other_software_reads_the_record(crate: ROCrate) -> None:
    """What the profiles demand of the record as a whole (Provenance Run Crate 0.5, «MUST»)."""
    conforms = {profile.id for profile in crate.root_dataset["conformsTo"]}
    assert {f"https://w3id.org/ro/wfrun/{name}/0.5" for name in ("process", "workflow", "provenance")} <= conforms
    for profile in crate.root_dataset["conformsTo"]:
        assert profile["version"]
    workflow = crate.mainEntity
    assert {"File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"} <= types(workflow)
    assert workflow["programmingLanguage"]["name"]
    assert crate.root_dataset["license"]
    assert crate.root_dataset["datePublished"]


def test_every_reference_leads_somewhere_and_every_file_is_there(run: StoredRun, crate: ROCrate) -> None:
    entities = read_crate(run.folder)
    text = (run.folder / "ro-crate-metadata.json").read_text(encoding="utf-8")
    said = re.findall(r'\{\s*"@id": "([^"]+)"\s*\}', text)
    known = {*entities, "https://w3id.org/ro/crate/1.1", "https://jupyter.org/"}
    assert [name for name in said if name not in known] == []
    named = {part.id for part in crate.root_dataset["hasPart"]}
    files = {path.relative_to(run.folder).as_posix() for path in run.folder.rglob("*") if path.is_file()}
    assert named == files - {"ro-crate-metadata.json"}


def test_run_names_its_tool_its_agent_and_its_end(crate: ROCrate) -> None:
    whole = one(crate, "#run")
    assert "CreateAction" in types(whole)
    assert whole["instrument"].id == crate.mainEntity.id
    assert whole["agent"]["name"] == "Evaluator"
    assert whole["actionStatus"] == "http://schema.org/CompletedActionStatus"
    assert whole["startTime"] <= whole["endTime"]
    assert {entity.id for entity in whole["result"]} == {
        "notebooks/effects.ipynb",
        "notebooks/programme.ipynb",
        "results/effects.json",
    }
    engine = one(crate, "#orchestration")
    assert engine["instrument"]["softwareVersion"]
    assert engine["result"].id == whole.id


@pytest.mark.parametrize("name", CHAPTERS)
def test_each_chapter_is_an_action_of_a_step(crate: ROCrate, name: str) -> None:
    control = one(crate, f"#control/{name}")
    step, done = control["instrument"], control["object"]
    assert "HowToStep" in types(step)
    assert step["workExample"].id == done["instrument"].id == f"#notebook/{name}"
    assert done["actionStatus"].endswith("/CompletedActionStatus")
    assert done["startTime"] <= done["endTime"]
    assert [entity.id for entity in done["result"]] == [f"notebooks/{name}.ipynb"]
    assert step.id in {entity.id for entity in crate.mainEntity["step"]}


def test_parameters_stand_with_defaults_and_the_changed_one_is_marked(crate: ROCrate) -> None:
    given = [entity for entity in one(crate, "#run")["object"] if entity.id.startswith("#value/")]
    assert len(given) > 20
    for value in given:
        assert "FormalParameter" in types(value["exampleOfWork"])
        assert value["exampleOfWork"]["additionalType"] in ("Boolean", "Integer", "Float", "Text")
    changed = {value["name"]: value for value in given if value.get("description")}
    assert list(changed) == ["design.confidence"]
    assert changed["design.confidence"]["value"] == 0.9
    assert changed["design.confidence"]["exampleOfWork"]["defaultValue"] == 0.95
    assert one(crate, "#value/seed")["value"] == 1975


def test_data_are_named_by_checksum_and_terms_and_are_not_there(run: StoredRun, crate: ROCrate) -> None:
    people = one(crate, "#data/participants")
    # As the README beside the data says.
    assert people["sha256"] == "db590fe050cbdfa9f7afd31c7994fbb4fbee9aa1694f01b7a2156a668a1f41b7"
    assert "MIT" in people["conditionsOfAccess"]
    assert "nsw-001" not in (run.folder / "ro-crate-metadata.json").read_text(encoding="utf-8")
    assert run.journal["data"] == {"participants": 445, "outcomes": 890}
    consumed = {entity.id for entity in one(crate, "#run")["object"]}
    assert {"#data/participants", "#data/outcomes", "#programme/programme.yml", "#programme/economy.yml"} <= consumed
    assert len(one(crate, "#programme/programme.yml")["sha256"]) == 64


def test_software_machine_and_settings(crate: ROCrate) -> None:
    assert one(crate, "#python")["softwareVersion"] == platform.python_version()
    assert one(crate, "#package/numpy")["softwareVersion"]
    assert len(one(crate, "#lock")["sha256"]) == 64
    environment = {entity["name"]: entity["value"] for entity in one(crate, "#run")["environment"]}
    assert environment["OPENBLAS_NUM_THREADS"] == "1"
    assert environment["locale"]
    machine = {entity["name"]: entity["value"] for entity in one(crate, "#machine")["additionalProperty"]}
    assert machine["processors"] == os.cpu_count()
    assert machine["linear_algebra"] not in ("", "unknown")


def test_every_table_has_the_checksum_of_what_it_shows(run: StoredRun, crate: ROCrate) -> None:
    shown = {(each.kind, each.name): each for each in exhibits("effects", run.notebook("effects"))}
    entity = one(crate, "#exhibit/effects/table/effects-earnings_usd")
    assert entity["sha256"] == shown["table", "effects-earnings_usd"].checksum
    assert entity["isPartOf"].id == "notebooks/effects.ipynb"
    assert entity["name"].startswith("Earnings in 1978")


def test_no_path_of_the_machine_no_user_and_no_host_is_noted(run: StoredRun) -> None:
    told = "".join(
        (run.folder / name).read_text(encoding="utf-8")
        for name in ("ro-crate-metadata.json", "journal.json", "README.md", "workflow.json", "record.json")
    )
    here = [str(Path.home()), str(Path.cwd()), str(run.folder.parent.parent), str(Path(chapters.__file__).parents[2])]
    assert [path for path in here if len(path) > 1 and path in told] == []
    user, host = getpass.getuser(), platform.node()
    assert not re.search(rf"(?<![\w-]){re.escape(host)}(?![\w-])", told)
    if user != "root":
        assert not re.search(rf"\b{re.escape(user)}\b", told)


def test_readme_has_the_sections_that_data_editors_ask_for(run: StoredRun) -> None:
    text = (run.folder / "README.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.*)$", text, flags=re.MULTILINE)
    assert headings == [
        "Overview",
        "Data Availability and Provenance Statements",
        "Dataset List",
        "Computational Requirements",
        "Description of Programs",
        "Instructions to Replicators",
        "List of Tables, Figures and Programs",
        "Settings that were Changed",
        "References",
    ]
    assert "- [ ] We certify" in text, "nothing is certified for the authors"
    assert "`seed` of the programme, here 1975" in text
    title = "Earnings in 1978: difference in USD, with 90% confidence intervals"
    assert f"| Table | {title} | `notebooks/effects.ipynb` | `effects-earnings_usd` |" in text
    assert "| `design.confidence` | 0.9 | 0.95 |" in text
    assert "virkning run nsw -p design.confidence=0.90" in text
    assert "### License for Code and Data\n\nThe data: causaldata is under the MIT licence." in text
    assert f"With Python {platform.python_version().rpartition('.')[0]}, install" in text
    assert "- Time: less than 10 minutes, for 2 chapters, added up" in text
    assert f"- Last run: {run.when[:10]}, on {platform.system()}" in text


def test_what_is_unchanged_is_not_described_again(run: StoredRun, in_this_process: Any) -> None:
    before = (run.folder / "ro-crate-metadata.json").stat().st_mtime_ns
    recorded(
        Programme.read("nsw", CHANGES), root=run.folder.parent.parent, kernels=in_this_process(), chapters=CHAPTERS
    )
    assert (run.folder / "ro-crate-metadata.json").stat().st_mtime_ns == before


def test_failed_run_tells_where_and_why(tmp_path: Path, in_this_process: Any) -> None:
    with pytest.raises(BookError):
        recorded(
            Programme.read("nsw"), root=tmp_path, kernels=in_this_process(failing="programme"), chapters=["programme"]
        )
    (run,) = stored_runs(tmp_path)
    assert run.status == "failed"
    assert run.to_dict()["failed_chapters"] == ["programme"]
    crate = ROCrate(run.folder)
    failed = one(crate, "#chapter/programme")
    assert failed["actionStatus"] == one(crate, "#run")["actionStatus"] == "http://schema.org/FailedActionStatus"
    assert failed["error"].startswith("book.failed_cell")
    assert failed.get("result") is None


def test_failure_of_no_known_kind_is_noted_without_its_words(tmp_path: Path, in_this_process: Any) -> None:
    class Broken(in_this_process):  # type: ignore[misc]
        def execute(self, *_: Any, **__: Any) -> Any:
            raise ValueError("person-0042")

    with pytest.raises(ValueError, match="person-0042"):
        recorded(Programme.read("nsw"), root=tmp_path, kernels=Broken(), chapters=["programme"])
    (run,) = stored_runs(tmp_path)
    assert run.status == "failed"
    assert "person-0042" not in (run.folder / "ro-crate-metadata.json").read_text(encoding="utf-8")


def test_interrupted_run_goes_on_and_is_finished(tmp_path: Path, in_this_process: Any) -> None:
    programme = Programme.read("nsw")
    with pytest.raises(KeyboardInterrupt):
        recorded(programme, root=tmp_path, kernels=in_this_process(stop="programme"), chapters=["programme"])
    (run,) = stored_runs(tmp_path)
    assert run.status == "interrupted"
    assert "error" in ROCrate(run.folder).dereference("#run").properties()
    recorded(programme, root=tmp_path, kernels=in_this_process(), chapters=["programme"])
    (run,) = stored_runs(tmp_path)
    assert run.status == "finished"
    assert "error" not in ROCrate(run.folder).dereference("#run").properties()


def test_run_that_was_killed_is_interrupted(tmp_path: Path, in_this_process: Any) -> None:
    recorded(Programme.read("nsw"), root=tmp_path, kernels=in_this_process(), chapters=["programme"])
    (run,) = stored_runs(tmp_path)
    notes = {**run.journal, "status": "running"}
    (run.folder / "journal.json").write_text(json.dumps(notes), encoding="utf-8")
    assert StoredRun(run.folder).status == "interrupted"
    (run.folder / ".at_work").write_text(str(os.getpid()), encoding="ascii")
    assert StoredRun(run.folder).status == "running"


def test_role_is_words_and_never_an_account(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, in_this_process: Any
) -> None:
    monkeypatch.setenv("VIRKNING_ROLE", "external evaluator")
    assert surroundings()["role"] == "external evaluator"
    monkeypatch.setenv("VIRKNING_ROLE", "somebody@example.org")
    with pytest.raises(UsageError, match="not a role"):
        recorded(Programme.read("nsw"), root=tmp_path, kernels=in_this_process(), chapters=["programme"])
    assert list(tmp_path.iterdir()) == []


def test_state_of_the_code(tmp_path: Path) -> None:
    assert code_state(tmp_path)["commit"] is None
    assert code_words(code_state(tmp_path)).endswith("an installed package")
    assert "with changes" in code_words({"version": "1.0", "commit": "a" * 40, "is_changed": True})


def test_runs_are_named_by_their_first_letters(run: StoredRun) -> None:
    root = run.folder.parent.parent
    for said in (run.name, run.folder.name[:5], f"nsw/{run.folder.name}", "nsw", str(run.folder)):
        assert find_run(said, root).folder == run.folder
    with pytest.raises(UsageError, match="no run"):
        find_run("zzzz", root)
    with pytest.raises(UsageError, match="no run"):
        stored_runs(root, "rossi")


def test_warm_kernels_elsewhere_in_the_world_give_every_value_again(
    run: StoredRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another engine, one worker instead of two, another locale, time zone and hash seed: the same bits."""
    for name, value in {"TZ": "Pacific/Kiritimati", "LC_ALL": "da_DK.UTF-8", "LANG": "da_DK.UTF-8"}.items():
        monkeypatch.setenv(name, value)
    tried = verify(run, engine="warm", slots=1, chapters=["effects"])
    assert tried.engine in ("warm", "pool")
    assert tried.inputs == ()
    assert [each.verdict for each in tried.compared] == ["same"] * len(tried.compared)
    assert len(tried.compared) >= 9
    assert sum(each.n_values for each in tried.compared) > 50
    tried.require()


def test_forged_value_is_found_with_its_place(
    run: StoredRun, tmp_path: Path, forged: Any, without_kernels: None
) -> None:
    forgery = StoredRun(forged(run.folder, tmp_path, "effects", "1794.342", "1894.342"))
    tried = verify(forgery, chapters=["effects"])
    assert not tried.is_proven
    (table,) = [each for each in tried.different if each.kind == "table"]
    # The declared estimator, and one beside it that gives the same number.
    assert (table.chapter, table.name, table.n_different) == ("effects", "effects-earnings_usd", 2)
    assert table.largest == pytest.approx(100 / 1894.342, rel=1e-3)
    assert "1894.3 → 1794.3" in table.detail
    with pytest.raises(VerificationError, match="effects-earnings_usd") as caught:
        tried.require()
    assert caught.value.exit_code == 17
    assert caught.value.to_dict()["report"]["verified"] is False


def against(run: StoredRun, forgery: Path) -> list[Compared]:
    names = ["effects"]
    return compare_exhibits(verification.shown(run, names), verification.shown(StoredRun(forgery), names))


def test_forged_sentence_is_found(run: StoredRun, tmp_path: Path, forged: Any) -> None:
    found = against(run, forged(run.folder, tmp_path, "effects", "1,794 USD higher", "1,974 USD higher"))
    (sentence,) = [each for each in found if each.kind == "prose" and not each.is_same]
    assert sentence.detail == "1,794 → 1,974"


def test_other_drawing_of_the_same_data_is_told_apart(run: StoredRun, tmp_path: Path, forged: Any) -> None:
    found = against(run, forged(run.folder, tmp_path, "effects", "<defs>", "<defs >"))
    assert all(each.is_same for each in found)
    assert {each.kind for each in found if each.verdict == "drawn differently"} == {"figure"}


def test_comparison_tells_settings_data_and_results(run: StoredRun, tmp_path: Path, in_this_process: Any) -> None:
    root = run.folder.parent.parent
    done = recorded(Programme.read("nsw"), root=root, kernels=in_this_process(), chapters=CHAPTERS)
    found = compare(run, StoredRun(done.folder))
    values = found.to_dict()
    assert [row["item"] for row in values["settings"]] == ["design.confidence"]
    assert values["data"][1] == {"item": "Participants", "first": "445", "second": "445"}
    assert values["versions"] == []
    first = values["effects"][0]
    assert first["value_first"] == first["value_second"] == pytest.approx(1794.342, abs=5e-4)
    assert first["lower_first"] > first["lower_second"], "a lower confidence gives a narrower interval"
    assert {each["chapter"] for each in values["exhibits"]} == {"effects"}
    assert "the same" in "\n".join(lines(found))
    page = write_page(found, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "National Supported Work: two runs" in page
    assert not re.search(r'(src|href)="(?!data:|#)', page), "the page loads nothing"
    assert page.count("<h1>") == 1
    same = compare(run, run)
    assert same.is_same
    assert same.to_dict()["exhibits"] == []


def test_record_chapter_tells_how_to_prove_it(run: StoredRun) -> None:
    told = report_record.proof(run.record).text
    assert f"virkning verify {run.name}" in told
    assert "ro-crate-metadata.json" in told
    assert "virkning verify RUN" in report_record.proof({}).text, "a notebook opened by hand has no run"


def test_values_are_said_with_as_many_digits_as_tell_them_apart() -> None:
    assert readable("1794.342382", "1794.342383") == ("1794.342382", "1794.342383")
    assert readable("0.25", "0.5") == ("0.25", "0.5")
    assert readable("hidden", "12") == ("hidden", "12")
