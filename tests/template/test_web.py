"""The web API of the template: which routes there are under which access, and that nothing is left hanging without it."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import pytest
from ministack.services.cloudformation import engine

from checks.roles.templates import templates
from checks.rules import BY_SESSION
from tests.template.project import resources

SECRET = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:slack-AbCdEf"
SLACK = {"SlackChannel": "C0123456789", "SlackSecretArn": SECRET}
SIGN_IN = {"WebAccess": "sign-in", "OidcIssuer": "https://id.example.com", "OidcClientId": "lockkeeper"}
BY_TOKEN = {
    "GET /api/releases",
    "GET /api/releases/{release_id}",
    "GET /api/groups",
    "GET /api/groups/{group}",
    "GET /api/openapi.json",
}
LINKS = {
    "GET /approvals/{link}",
    "POST /approvals/{link}",
    "POST /api/releases/{release_id}/decision",
    "POST /api/releases/{release_id}/revoke",
    *(
        f"POST /api/groups/{{group}}/{brake}"
        for brake in ("hold", "lift-hold", "freeze", "unfreeze", "rollback", "adopt", "resume-retraining")
    ),
}


@cache
def hub() -> dict[str, Any]:
    """`template.yaml` as CloudFormation gets it."""
    return templates()[0]


def parameters(**given: str) -> dict[str, dict[str, Any]]:
    """The template's parameters, with what is given in place of defaults, as the emulator's engine has them."""
    declared = hub()["Parameters"]
    values = {name: str(given.get(name, one.get("Default", "an-external-id"))) for name, one in declared.items()}
    return {name: {"Value": value, "Type": declared[name]["Type"]} for name, value in values.items()}


def deployed(**given: str) -> dict[str, Any]:
    """The template with its conditions decided: resources, outputs and branches that are not chosen are gone."""
    conditions = engine._evaluate_conditions(hub(), parameters(**given))

    def chosen(value: Any) -> Any:
        if isinstance(value, dict):
            if set(value) == {"Fn::If"}:
                name, yes, no = value["Fn::If"]
                return chosen(yes if conditions[name] else no)
            parts = {key: chosen(one) for key, one in value.items()}
            return {key: one for key, one in parts.items() if one != {"Ref": "AWS::NoValue"}}
        if isinstance(value, list):
            return [one for one in map(chosen, value) if one != {"Ref": "AWS::NoValue"}]
        return value

    return {
        part: {name: chosen(one) for name, one in hub()[part].items() if conditions.get(one.get("Condition", ""), True)}
        for part in ("Resources", "Outputs")
    }


def routes(**given: str) -> set[str]:
    found = deployed(**given)["Resources"].values()
    return {one["Properties"]["RouteKey"] for one in found if one["Type"] == "AWS::ApiGatewayV2::Route"}


def named_in(value: Any) -> set[str]:
    """The logical ids and parameters that intrinsic functions in a value name."""
    if isinstance(value, dict):
        if "Ref" in value:
            return {value["Ref"]}
        if "Fn::GetAtt" in value:
            return {value["Fn::GetAtt"][0]}
        if "Fn::If" in value:
            return named_in(value["Fn::If"][1:])
        if "Fn::Sub" in value:
            return {name.partition(".")[0] for name in re.findall(r"\$\{([^}!]+)\}", value["Fn::Sub"])}
        return {name for part in value.values() for name in named_in(part)}
    return {name for part in value for name in named_in(part)} if isinstance(value, list) else set()


@pytest.mark.parametrize(
    "access", [{"WebAccess": "none"}, {"WebAccess": "links"}, SIGN_IN], ids=lambda one: one["WebAccess"]
)
@pytest.mark.parametrize("slack", [{}, SLACK], ids=["without Slack", "with Slack"])
def test_whatever_the_access_nothing_names_what_is_not_there(access: dict[str, str], slack: dict[str, str]) -> None:
    template = deployed(**access, **slack)
    known = set(template["Resources"]) | set(hub()["Parameters"])
    dangling = {
        name: missing
        for part in ("Resources", "Outputs")
        for name, one in template[part].items()
        if (missing := {found for found in named_in(one) if not found.startswith("AWS::")} - known)
    }
    assert dangling == {}


def test_without_web_access_there_is_no_api_and_no_function_behind_it() -> None:
    template = deployed(WebAccess="none")
    kinds = {one["Type"] for one in template["Resources"].values()}
    assert {kind for kind in kinds if kind.startswith("AWS::ApiGatewayV2::")} == set()
    assert not {"ServeWeb", "ServeWebRole", "WebLogGroup", "WebMayServe"} & set(template["Resources"])
    assert not {"WebUrl", "WebApiId"} & set(template["Outputs"])
    for name in ("RequestApproval", "KeepHouse"):
        assert template["Resources"][name]["Properties"]["Environment"]["Variables"]["WEB_URL"] == "", name


def test_the_command_line_is_told_of_slack_where_it_is_used() -> None:
    assert "SlackChannel" not in deployed(WebAccess="none")["Outputs"]
    assert deployed(WebAccess="links", **SLACK)["Outputs"]["SlackChannel"]["Value"] == {"Ref": "SlackChannel"}


def test_with_links_there_are_the_pages_and_the_routes_of_command_line_and_slack() -> None:
    assert routes(WebAccess="links") == LINKS
    assert routes(WebAccess="links", **SLACK) == LINKS | {"POST /slack/interactions"}


def test_with_sign_in_there_are_also_the_board_and_the_api() -> None:
    assert routes(**SIGN_IN) == LINKS | BY_SESSION | BY_TOKEN


def test_the_api_wants_a_token_of_this_client() -> None:
    template = deployed(**SIGN_IN)["Resources"]
    authorizer = template["TokenAuthorizer"]["Properties"]
    assert authorizer["JwtConfiguration"] == {"Issuer": {"Ref": "OidcIssuer"}, "Audience": [{"Ref": "OidcClientId"}]}
    kinds = {
        one["Properties"]["RouteKey"]: one["Properties"]
        for one in template.values()
        if one["Type"] == "AWS::ApiGatewayV2::Route"
    }
    for route in BY_TOKEN:
        wanted = (kinds[route]["AuthorizationType"], kinds[route]["AuthorizerId"])
        assert wanted == ("JWT", {"Ref": "TokenAuthorizer"}), route


def statements_of_serve_web(**given: str) -> list[dict[str, Any]]:
    (policy,) = deployed(**given)["Resources"]["ServeWebRole"]["Properties"]["Policies"]
    found: list[dict[str, Any]] = policy["PolicyDocument"]["Statement"]
    return found


def test_without_sign_in_the_function_may_read_no_dossier_no_list_and_no_secret() -> None:
    statements = statements_of_serve_web(WebAccess="links")
    granted = str(statements)
    assert {one["Resource"]["Fn::Sub"] for one in statements if one["Action"] == "s3:GetObject"} == {
        "${Bucket.Arn}/policies/*"
    }
    assert "dossiers" not in granted
    assert "/index/" not in granted
    assert "secretsmanager" not in granted


def test_each_brake_and_adoption_has_a_route_of_its_own_that_wants_an_aws_identity() -> None:
    found = {one["RouteKey"]: one["AuthorizationType"] for one in resources("AWS::ApiGatewayV2::Route").values()}
    brakes = {key: kind for key, kind in found.items() if key.startswith("POST /api/groups/")}
    assert len(brakes) == 7
    assert set(brakes.values()) == {"AWS_IAM"}


def test_only_a_client_with_a_secret_gives_the_function_one_to_read() -> None:
    assert "secretsmanager" not in str(statements_of_serve_web(**SIGN_IN))
    with_secret = statements_of_serve_web(**SIGN_IN, OidcClientSecretArn=SECRET)
    assert {"Ref": "OidcClientSecretArn"} in [one["Resource"] for one in with_secret]


@pytest.mark.parametrize("missing", ["OidcIssuer", "OidcClientId"])
def test_sign_in_without_a_provider_is_refused(missing: str) -> None:
    given = parameters(**{**SIGN_IN, missing: ""})
    with pytest.raises(ValueError, match=f"sign-in needs an {missing}"):
        engine._evaluate_rules(hub(), given, engine._evaluate_conditions(hub(), given))


@pytest.mark.parametrize(
    ("issuer", "taken"),
    [
        ("https://id.example.com/realms/x", True),
        ("http://127.0.0.1:4569", True),
        ("http://id.example.com", False),
        ("http://127.0.0.1.example.com", False),
    ],
)
def test_an_issuer_is_reached_over_https_or_on_this_machine(issuer: str, taken: bool) -> None:
    assert bool(re.fullmatch(hub()["Parameters"]["OidcIssuer"]["AllowedPattern"], issuer)) is taken


def test_slack_without_the_web_is_refused() -> None:
    given = parameters(WebAccess="none", **SLACK)
    with pytest.raises(ValueError, match="button in Slack needs the web API"):
        engine._evaluate_rules(hub(), given, engine._evaluate_conditions(hub(), given))


def test_every_route_that_writes_is_throttled_more_than_reading() -> None:
    stage = resources("AWS::ApiGatewayV2::Stage")["WebStage"]
    changing = {
        name: one["RouteKey"]
        for name, one in resources("AWS::ApiGatewayV2::Route").items()
        if not one["RouteKey"].startswith("GET ") or one["RouteKey"].startswith("GET /sign-in")
    }
    settings = stage["RouteSettings"]
    assert set(settings) == set(changing.values())
    for route, setting in settings.items():
        limits = setting["Fn::If"][1] if "Fn::If" in setting else setting
        for limit in ("ThrottlingRateLimit", "ThrottlingBurstLimit"):
            assert limits[limit] < stage["DefaultRouteSettings"][limit], route


def test_the_stage_waits_for_the_routes_that_it_has_settings_of() -> None:
    # API Gateway refuses a setting of a route that is not there yet.
    changing = {
        name
        for name, one in resources("AWS::ApiGatewayV2::Route").items()
        if one["RouteKey"] in resources("AWS::ApiGatewayV2::Stage")["WebStage"]["RouteSettings"]
    }
    named = named_in(resources("AWS::ApiGatewayV2::Stage")["WebStage"]["Tags"])
    assert named - {"AWS::NoValue"} == changing


def test_the_function_may_be_called_by_this_api_alone() -> None:
    permission = resources("AWS::Lambda::Permission")["WebMayServe"]
    assert permission["SourceArn"]["Fn::Sub"].endswith(":${WebApi}/*")
    assert permission["Principal"] == "apigateway.amazonaws.com"
