"""`lockkeeper simulate`: what would happen to a registration and why, gate by gate, without AWS."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import AsJson

if TYPE_CHECKING:
    from lockkeeper.domain.artifact.findings import Report
    from lockkeeper.domain.policy import ArtifactRule, Policy
    from lockkeeper.domain.simulation import Known

app = typer.Typer()

EventFile = Annotated[
    Path | None, typer.Option("--event", help="A `SageMaker Model Package State Change` event, as JSON.")
]
PolicyFile = Annotated[Path, typer.Option("--policy", help="The policy of the group, as YAML.")]
RegistryFile = Annotated[
    Path | None,
    typer.Option("--registry", help="What the registry would answer, as JSON or YAML; see docs/commands.md."),
]
ArtifactFile = Annotated[Path | None, typer.Option("--artifact", help="The version's model.tar.gz, to be scanned.")]
DossierFile = Annotated[
    Path | None,
    typer.Option(
        "--dossier", help="What `lockkeeper show RELEASE --json` printed: judges that release's evidence again."
    ),
]


@app.command()
def simulate(
    policy_file: PolicyFile,
    event_file: EventFile = None,
    registry_file: RegistryFile = None,
    artifact_file: ArtifactFile = None,
    dossier_file: DossierFile = None,
    as_json: AsJson = False,
) -> None:
    """Say what would become of a registration and why, without AWS. Exit 0 only if every gate would let it go on."""
    from lockkeeper.domain import simulation

    from cli.problems import CommandRefused
    from cli.registry_file import read_document, what_is_known

    if (event_file is None) == (dossier_file is None):
        raise CommandRefused("give one of --event and --dossier", cure="an event is new, a dossier has been released")
    if dossier_file:
        event, known = what_was_recorded(dossier_file)
        read = nothing_else
    else:
        event = read_document(event_file or Path())
        known, read = what_is_known(event, event_file or Path(), registry_file)
    policy = policy_of(policy_file)
    if artifact_file:
        known = replace(known, artifact=scanned(artifact_file, policy.gates.artifact))
    simulated = simulation.simulate(event, policy, known, read)
    if as_json:
        typer.echo(json.dumps(simulated.to_json(), indent=2))
    else:
        from cli.simulation_table import draw
        from cli.terminal import console

        console().print(*draw(simulated), sep="\n")
    raise typer.Exit(0 if simulated.goes_on else 1)


def policy_of(path: Path) -> Policy:
    """The policy of a file; `CommandRefused` where the file cannot be read."""
    from cli.policies import read_policy
    from cli.problems import CommandRefused

    try:
        return read_policy(path).policy
    except OSError as error:
        raise CommandRefused(f"{path} cannot be read: {error.strerror}", cure="look at the file's name") from error


def scanned(path: Path, rule: ArtifactRule) -> Report:
    """The scan of a file, as ScanArtifact does it."""
    from lockkeeper.adapters.picklescan import dangerous_globals
    from lockkeeper.domain.artifact.allowed import Allowed
    from lockkeeper.domain.artifact.findings import MEGABYTE, Report
    from lockkeeper.domain.artifact.scan import scan
    from lockkeeper.use_cases.copy_archive import limits_of, too_large

    from cli.problems import CommandRefused

    try:
        size = path.stat().st_size
        in_a_job = rule.job is not None and size > rule.job.above_mb * MEGABYTE
        limits = limits_of(size, rule, in_a_job=in_a_job)
        if size > rule.max_mb * MEGABYTE:
            report = Report(limits)
            too_large(report, "model.tar.gz", size, rule)
            return report
        with path.open("rb") as file:
            return scan(file.read, limits, Allowed(rule.allow_globals), dangerous_globals)
    except OSError as error:
        raise CommandRefused(f"{path} cannot be read: {error.strerror}", cure="look at the file's name") from error


def what_was_recorded(path: Path) -> tuple[dict[str, Any], Known]:
    """The registration that a release began with, and everything that was known when it was judged."""
    from lockkeeper.domain.model_package import PackageName
    from lockkeeper.domain.recorded import recorded_from
    from lockkeeper.domain.simulation import Known

    from cli.problems import CommandRefused
    from cli.registry_file import read_document

    try:
        recorded = recorded_from(read_document(path))
    except ValueError as error:
        raise CommandRefused(f"{path}: {error}", cure="write it with `lockkeeper show RELEASE --json`") from error
    name = PackageName.from_arn(recorded.model_package_arn)
    event = {
        "source": "aws.sagemaker",
        "detail-type": "SageMaker Model Package State Change",
        "account": name.account if name else "",
        "region": name.region if name else "",
        "detail": {"ModelPackageArn": recorded.model_package_arn},
    }
    return event, Known(description=recorded.description, champion=recorded.champion, recorded=recorded)


def nothing_else(uri: str) -> bytes:
    """A dossier has the reports themselves."""
    from lockkeeper.domain.errors import EvidenceMissing

    raise EvidenceMissing(f"{uri} is not in the dossier")
