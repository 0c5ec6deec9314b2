"""Model packages: the versions of a group."""

import copy

from localcloud.sagemaker.call import Call, Operation
from localcloud.sagemaker.cloud import Cloud, JsonObject, Place
from localcloud.sagemaker.errors import invalid
from localcloud.sagemaker.events import EventPublisher
from localcloud.sagemaker.groups import ModelPackageGroups, place_of
from localcloud.sagemaker.images import digest_of
from localcloud.sagemaker.listing import select
from localcloud.sagemaker.store import Store, tag_map

SUMMARY = (
    "ModelPackageName", "ModelPackageGroupName", "ModelPackageVersion", "ModelPackageArn", "ModelPackageDescription",
    "CreationTime", "ModelPackageStatus", "ModelApprovalStatus", "ModelLifeCycle", "ModelPackageRegistrationType",
)  # fmt: skip
REPLACED = (
    "ModelApprovalStatus", "ApprovalDescription", "InferenceSpecification", "SourceUri", "ModelCard", "ModelLifeCycle",
    "ModelPackageRegistrationType",
)  # fmt: skip
NOT_KEPT = ("Tags", "ClientToken", "ModelPackageGroupName")
MOST_METADATA = 50


class ModelPackages:
    """The versions of the registry, and packages without a group."""

    def __init__(self, store: Store, cloud: Cloud, events: EventPublisher, groups: ModelPackageGroups) -> None:
        self._store = store
        self._cloud = cloud
        self._events = events
        self._groups = groups

    def operations(self) -> dict[str, Operation]:
        return {
            "CreateModelPackage": self.create,
            "DescribeModelPackage": self.describe,
            "ListModelPackages": self.list_page,
            "UpdateModelPackage": self.update,
            "DeleteModelPackage": self.delete,
        }

    def create(self, call: Call) -> JsonObject:
        if bool(call.get("ModelPackageGroupName")) == bool(call.get("ModelPackageName")):
            raise invalid("Exactly one of ModelPackageGroupName and ModelPackageName has to be given.")
        world, token = self._store.world(call.place), call.get("ClientToken")
        earlier = world.tokens.get((call.operation, token)) if token else None
        if earlier:
            return {"ModelPackageArn": earlier}
        for container in (call.get("InferenceSpecification") or {}).get("Containers", []):
            check_data_source(container)
        place, identity = self._versioned(call) if call.get("ModelPackageGroupName") else self._unversioned(call)
        package = {
            **copy.deepcopy({name: value for name, value in call.parameters.items() if name not in NOT_KEPT}),
            **identity,
            "CreationTime": self._cloud.now(),
            "CreatedBy": call.user_context(),
            "ModelPackageStatus": "Completed",
            "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
        }
        package.setdefault("CertifyForMarketplace", False)
        if "ModelPackageVersion" in identity:
            package.setdefault("ModelApprovalStatus", "PendingManualApproval")
        self._resolve_digests(package)
        arn: str = package["ModelPackageArn"]
        self._store.world(place).packages[arn] = package
        if token:
            world.tokens[call.operation, token] = arn
        self._events.model_package_changed(place, package)
        return {"ModelPackageArn": arn}

    def _versioned(self, call: Call) -> tuple[Place, JsonObject]:
        if call.get("Tags"):
            raise invalid("Tags cannot be added to a model package version; tag its model package group instead.")
        place, group = self._groups.find(call, call["ModelPackageGroupName"])
        group["LastVersion"] += 1
        name, version = group["ModelPackageGroupName"], group["LastVersion"]
        return place, {
            "ModelPackageGroupName": name,
            "ModelPackageVersion": version,
            "ModelPackageArn": place.arn(f"model-package/{name}/{version}"),
        }

    def _unversioned(self, call: Call) -> tuple[Place, JsonObject]:
        arn, world = call.place.arn(f"model-package/{call['ModelPackageName']}"), self._store.world(call.place)
        if arn in world.packages:
            raise invalid(f"Model Package already exists: {arn}")
        world.tags[arn] = tag_map(call.get("Tags"))
        return call.place, {"ModelPackageArn": arn}

    def _resolve_digests(self, package: JsonObject) -> None:
        """Fill in what an image's tag points to now, unless the request says it."""
        specifications = [package.get("InferenceSpecification") or {}]
        specifications += package.get("AdditionalInferenceSpecifications") or []
        for specification in specifications:
            for container in specification.get("Containers", []):
                image = container.get("Image", "")
                digest = digest_of(image) or self._cloud.image_digest(image)
                if digest and not container.get("ImageDigest"):
                    container["ImageDigest"] = digest

    def describe(self, call: Call) -> JsonObject:
        _, package = self.find(call, call["ModelPackageName"])
        return copy.deepcopy(package)

    def list_page(self, call: Call) -> JsonObject:
        place, wanted = call.place, None
        if call.get("ModelPackageGroupName"):
            place, group = self._groups.find(call, call["ModelPackageGroupName"])
            wanted = group["ModelPackageGroupName"]
        kind = call.get("ModelPackageType", "Versioned" if wanted else "Unversioned")
        status = call.get("ModelApprovalStatus")
        found = [
            package
            for package in self._store.world(place).packages.values()
            if (wanted is None or package.get("ModelPackageGroupName") == wanted)
            and (kind == "Both" or ("ModelPackageVersion" in package) == (kind == "Versioned"))
            and (status is None or package.get("ModelApprovalStatus") == status)
        ]
        return select(
            call,
            found,
            name="ModelPackageArn",
            summary=lambda package: {name: package[name] for name in SUMMARY if name in package},
            answer="ModelPackageSummaryList",
        )

    def update(self, call: Call) -> JsonObject:
        place, package = self.find(call, call["ModelPackageArn"])
        for container in (call.get("InferenceSpecification") or {}).get("Containers", []):
            check_data_source(container)
        changed = {name: copy.deepcopy(call[name]) for name in REPLACED if call.get(name) is not None}
        updated = list(changed)
        if call.get("CustomerMetadataProperties") or call.get("CustomerMetadataPropertiesToRemove"):
            changed["CustomerMetadataProperties"] = _merged_metadata(call, package)
            updated.append("CustomerMetadataProperties")
        if call.get("AdditionalInferenceSpecificationsToAdd"):
            known = package.get("AdditionalInferenceSpecifications", [])
            changed["AdditionalInferenceSpecifications"] = known + call["AdditionalInferenceSpecificationsToAdd"]
            updated.append("AdditionalInferenceSpecifications")
        package |= changed
        package |= {"LastModifiedTime": self._cloud.now(), "LastModifiedBy": call.user_context()}
        if "InferenceSpecification" in changed:
            self._resolve_digests(package)
        self._events.model_package_changed(place, package, updated)
        return {"ModelPackageArn": package["ModelPackageArn"]}

    def delete(self, call: Call) -> JsonObject:
        place, package = self.find(call, call["ModelPackageName"])
        world = self._store.world(place)
        del world.packages[package["ModelPackageArn"]]
        world.tags.pop(package["ModelPackageArn"], None)
        return {}

    def find(self, call: Call, name_or_arn: str) -> tuple[Place, JsonObject]:
        """A package and the place it lives in. Raises ApiError when there is none or the caller may not see it."""
        place, name = place_of(call.place, name_or_arn, "model-package/")
        arn, world = place.arn(f"model-package/{name}"), self._store.world(place)
        package = world.packages.get(arn)
        if package is None:
            raise invalid(f"ModelPackage {arn} does not exist.")
        group = world.groups.get(package.get("ModelPackageGroupName", ""), {})
        self._groups.admit(call, place, group, arn)
        return place, package


def check_data_source(container: JsonObject) -> None:
    """Raise ApiError where a container's model data is said twice, or its parts contradict each other."""
    source = container.get("ModelDataSource", {}).get("S3DataSource")
    if source is None:
        return
    if container.get("ModelDataUrl"):
        raise invalid("Only one of ModelDataUrl and ModelDataSource may be given.")
    uri, prefix = source["S3Uri"], source["S3DataType"] == "S3Prefix"
    if prefix and not uri.endswith("/"):
        raise invalid(f"S3Uri {uri} of S3DataType S3Prefix has to end with a forward slash.")
    if prefix and source["CompressionType"] == "Gzip":
        raise invalid(f"S3Uri {uri}: CompressionType Gzip takes S3DataType S3Object, one archive.")
    if not prefix and uri.endswith("/"):
        raise invalid(f"S3Uri {uri} of S3DataType S3Object is no object.")


def _merged_metadata(call: Call, package: JsonObject) -> dict[str, str]:
    merged = {**package.get("CustomerMetadataProperties", {}), **call.get("CustomerMetadataProperties", {})}
    for name in call.get("CustomerMetadataPropertiesToRemove", []):
        merged.pop(name, None)
    if len(merged) > MOST_METADATA:
        raise invalid(f"CustomerMetadataProperties may hold {MOST_METADATA} pairs, this makes {len(merged)}.")
    return merged
