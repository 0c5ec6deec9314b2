"""From a model to a folder that a server process can serve: who may read the artifact, where it is, what it requires."""

import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from localcloud.sagemaker import images
from localcloud.sagemaker.cloud import Cloud, JsonObject, Place, download_tree, split_uri
from localcloud.sagemaker.environments import Environments
from localcloud.sagemaker.errors import WorkFailedError
from localcloud.sagemaker.store import Store


@dataclass(frozen=True)
class Container:
    """What CreateModel says about one container of a model, its package resolved. `name` is how SageMaker's messages call it."""

    name: str
    image: str
    artifact_uri: str
    compressed: bool
    environment: Mapping[str, str]
    role_arn: str
    resolved_image: str


@dataclass(frozen=True)
class StagedModel:
    """A model on disk, and what it is served with."""

    framework: images.Framework
    folder: Path
    python: Path
    environment: Mapping[str, str]


def containers_of(store: Store, place: Place, model_name: str) -> list[Container]:
    """The containers of a model in the order in which a request passes them.

    Raises WorkFailedError for what cannot be served here.
    """
    model = store.world(place).models.get(model_name)
    if model is None:
        raise WorkFailedError(f"ClientError: the model {model_name} does not exist any more.")
    described = [model["PrimaryContainer"]] if model.get("PrimaryContainer") else model["Containers"]
    if model.get("InferenceExecutionConfig", {}).get("Mode") == "Direct":
        raise WorkFailedError("ClientError: the laptop's AWS runs containers in series; it invokes none directly.")
    resolved = [one for container in described for one in _with_package(store, place, container)]
    alone = len(resolved) == 1
    return [
        _container(one, model["ExecutionRoleArn"], "primary" if alone else f"container-{number}")
        for number, one in enumerate(resolved, 1)
    ]


def _container(container: JsonObject, role_arn: str, name: str) -> Container:
    if container.get("Mode") == "MultiModel":
        raise WorkFailedError("ClientError: the laptop's AWS serves no multi-model endpoints.")
    uri, compressed = _artifact_of(container)
    image = container["Image"]
    digest = container.get("ImageDigest") or images.digest_of(image)
    repository = image.partition("@")[0].rpartition(":")[0] if "@" not in image else image.partition("@")[0]
    return Container(
        name=container.get("ContainerHostname", name),
        image=image,
        artifact_uri=uri,
        compressed=compressed,
        environment=container.get("Environment", {}),
        role_arn=role_arn,
        resolved_image=f"{repository}@{digest}" if digest else image,
    )


def _with_package(store: Store, place: Place, container: JsonObject) -> list[JsonObject]:
    """The container, or those of the model package that it names, which all get its variables."""
    name = container.get("ModelPackageName")
    if not name:
        return [container]
    owner = Place(*reversed(name.split(":")[3:5])) if name.startswith("arn:") else place
    arn = name if name.startswith("arn:") else place.arn(f"model-package/{name}")
    package = store.world(owner).packages.get(arn)
    if package is None:
        raise WorkFailedError(f"ClientError: the model package {arn} does not exist any more.")
    own = container.get("Environment", {})
    packaged: list[JsonObject] = package["InferenceSpecification"]["Containers"]
    return [{**one, "Environment": {**one.get("Environment", {}), **own}} for one in packaged]


def _artifact_of(container: JsonObject) -> tuple[str, bool]:
    """The artifact's URI and whether it is a model.tar.gz rather than a prefix of files."""
    source = container.get("ModelDataSource", {}).get("S3DataSource")
    if source:
        return source["S3Uri"], source["CompressionType"] == "Gzip"
    return container.get("ModelDataUrl", ""), True


def stage(
    cloud: Cloud, environments: Environments, place: Place, container: Container, folder: Path, log_file: Path
) -> StagedModel:
    """Fetch and unpack an artifact below `folder` and prepare what it requires.

    Raises WorkFailedError with the reason, in AWS's words where AWS has some.
    """
    framework = images.framework_of(container.image)
    target = folder / "model"
    target.mkdir(parents=True)
    if container.artifact_uri:
        _check_access(cloud, place, container)
        _fetch(cloud, place, container, folder, target)
    environment = _relocated(container.environment, target)
    script = target / "code" / environment.get("SAGEMAKER_PROGRAM", "inference.py")
    if not script.is_file() and not framework.serves_without_script:
        raise WorkFailedError(
            f"ClientError: the {framework.name} container needs a script with model_fn, as AWS's does: "
            f"{container.artifact_uri} holds no code/{script.name} (inference.py)."
        )
    listed = target / "code" / "requirements.txt"
    required = listed.read_text(encoding="utf-8") if listed.is_file() else ""
    python = environments.python_with("\n".join((framework.requirement, required)).strip(), log_file)
    return StagedModel(framework, target, python, environment)


def _check_access(cloud: Cloud, place: Place, container: Container) -> None:
    if not cloud.list_objects(place, container.artifact_uri):
        raise WorkFailedError(f"Could not find model data at {container.artifact_uri}.")
    bucket, key = split_uri(container.artifact_uri)
    needed = f"s3://{bucket}/{key}" if container.compressed else f"s3://{bucket}/{key.rstrip('/')}/*"
    listed = container.compressed or cloud.may(
        place, container.role_arn, "s3:ListBucket", f"s3://{bucket}", {"s3:prefix": key}
    )
    if not listed:
        raise WorkFailedError(
            f'Could not access model data at {container.artifact_uri}. Please ensure that the role "{container.role_arn}" '
            'has "s3:ListBucket" permissions on the prefix.'
        )
    if not cloud.may(place, container.role_arn, "s3:GetObject", needed):
        raise WorkFailedError(
            f"Could not access model data at {container.artifact_uri}. Please ensure that the role "
            f'"{container.role_arn}" exists and that its trust relationship policy allows the action "sts:AssumeRole" '
            'for the service principal "sagemaker.amazonaws.com". Also ensure that the role has "s3:GetObject" '
            f"permissions and that the object is located in {place.region}."
        )


def _fetch(cloud: Cloud, place: Place, container: Container, folder: Path, target: Path) -> None:
    if not container.compressed:
        _check_names(cloud, place, container.artifact_uri)
        download_tree(cloud, place, container.artifact_uri, target)
        return
    archive = folder / "model.tar.gz"
    try:
        cloud.download(place, container.artifact_uri, archive)
        with tarfile.open(archive) as files:
            files.extractall(target, filter="data")
    except FileNotFoundError:
        raise WorkFailedError(f"Could not find model data at {container.artifact_uri}.") from None
    except (tarfile.TarError, EOFError, OSError) as error:
        raise WorkFailedError(
            f"Failed to extract model data archive from URL {container.artifact_uri!r}. Please ensure that the "
            f"archive is a valid gzip-compressed tar file ({error})."
        ) from None
    finally:
        archive.unlink(missing_ok=True)


def _check_names(cloud: Cloud, place: Place, uri: str) -> None:
    """What CompressionType None says about keys: the rest of each is a path of files and folders that can exist together."""
    prefix = split_uri(uri)[1]
    paths = {stored.key[len(prefix) :] for stored in cloud.list_objects(place, uri)}
    for path in sorted(paths):
        parts = path.split("/")
        unusable = any(part in ("", ".", "..") or "\0" in part or len(part.encode()) > 255 for part in parts)
        clashes = any("/".join(parts[:length]) in paths for length in range(1, len(parts)))
        if unusable or clashes:
            what = "is a file and a folder" if clashes else "is no name of a file"
            raise WorkFailedError(f"ClientError: the object {prefix}{path} of the model data at {uri} {what}.")


def _relocated(environment: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The container's variables with /opt/ml/model as the folder it is here."""
    return {name: value.replace("/opt/ml/model", str(folder)) for name, value in environment.items()}
