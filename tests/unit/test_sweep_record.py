"""The record of a sweep: each run is an action with its parameters and its end, as other software reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rocrate.rocrate import ROCrate

from virkning.errors import UsageError
from virkning.record import stored_runs
from virkning.record.sweeps import write_sweep_crate
from virkning.resources import example
from virkning.sweep import Grid, Store, Sweep, Swept, conduct
from virkning.sweep.conduct import gather
from virkning.sweep.single_run import WarmProcess

COMPLETED, FAILED = "http://schema.org/CompletedActionStatus", "http://schema.org/FailedActionStatus"


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Swept:
    over = Grid.of(['design.covariate_measures=[],["nobody"]', "seed=1,2"])
    process = WarmProcess()
    return conduct(
        Sweep.of(str(example("jtrain")), over),
        root=tmp_path_factory.mktemp("runs"),
        performer=lambda jobs: (process.perform(job) for job in jobs),
    )


@pytest.fixture(scope="module")
def crate(swept: Swept) -> ROCrate:
    write_sweep_crate(swept, "2026-01-01T00:00:00Z")
    return ROCrate(swept.folder)


def one(crate: ROCrate, identifier: str) -> Any:
    found = crate.dereference(identifier)
    assert found is not None, identifier
    return found


def test_each_run_is_an_action_with_its_parameters_and_its_end(crate: ROCrate, swept: Swept) -> None:
    for number, values in enumerate(swept.sweep.values, start=1):
        run = one(crate, f"#run/{number}")
        given = {entity["name"]: entity.get("value") for entity in run["object"]}
        assert given["seed"] == values["seed"]
        assert given["design.covariate_measures"] == ("[]" if number < 3 else '["nobody"]')
        assert run["actionStatus"] == (COMPLETED if number < 3 else FAILED)
        if number < 3:
            assert (swept.folder / run["result"].id).is_file()
        else:
            assert run["error"].startswith("design.unknown_measure")
    assert crate.dereference("#run/5") is None
    declared = one(crate, one(crate, "#run/1")["object"][-1]["exampleOfWork"].id)
    assert (declared["name"], declared["defaultValue"]) == ("seed", swept.sweep.programme.specification.seed)


def test_the_whole_tells_when_what_and_with_which_software(crate: ROCrate, swept: Swept) -> None:
    whole = one(crate, "#sweep")
    assert whole["startTime"] == "2026-01-01T00:00:00Z"
    assert whole["description"] == swept.sweep.command
    assert (whole["actionStatus"], whole["error"]) == (
        FAILED,
        "2 of 4 runs failed, 0 were not performed.",
    )
    assert {entity.id for entity in whole["result"]} >= {"results.csv", "results.parquet", "sweep.html"}
    assert {entity["name"] for entity in whole["object"]} >= {"participants", "outcomes", "programme.yml"}
    assert one(crate, "#virkning")["softwareVersion"]
    assert one(crate, "#package/numpy")["softwareVersion"]
    for name in ("#data/participants", "#data/outcomes"):
        assert one(crate, name)["conditionsOfAccess"]
    assert str(swept.folder) not in (swept.folder / "ro-crate-metadata.json").read_text(encoding="utf-8")


def test_a_sweep_that_goes_on_keeps_its_beginning(swept: Swept, crate: ROCrate, tmp_path: Path) -> None:
    again = gather(swept.sweep, Store(swept.folder))
    before = (swept.folder / "ro-crate-metadata.json").read_bytes()
    write_sweep_crate(again, "2027-01-01T00:00:00Z")
    assert (swept.folder / "ro-crate-metadata.json").read_bytes() == before
    assert stored_runs(swept.folder.parents[2]) == []


def test_a_role_that_is_none_is_refused(swept: Swept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIRKNING_ROLE", "somebody@somewhere")
    with pytest.raises(UsageError, match="not a role"):
        write_sweep_crate(swept)
