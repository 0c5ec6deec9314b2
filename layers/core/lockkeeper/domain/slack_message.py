"""The message of a release in Slack, as Block Kit. People's words are escaped, and stand in plain text wherever Slack has it.

Sources: Slack's reference of blocks and of composition objects, which has the limits, and "Formatting text for app surfaces"
for the three characters that control a text.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lockkeeper.domain.approval import Answer, ApprovalRequest, RequestStatus, asked_by, must_approve
from lockkeeper.domain.policy import Approver
from lockkeeper.domain.release import Outcome, Release, Status, Verdict
from lockkeeper.domain.slack_press import APPROVE_ACTION, Shown
from lockkeeper.domain.words import visible

Block = dict[str, Any]

HEADER_LIMIT, FIELD_LIMIT, TEXT_LIMIT = 150, 2000, 3000
"""Characters that Slack takes, after escaping."""
ROOM = 120
"""Characters left for what stands beside a list."""
GATES_SHOWN = 12
"""More is no summary; the rest is counted."""
WORDS_SHOWN = 240
"""Characters of one reason or comment."""

MARKS = {Outcome.FAILED: "✗", Outcome.INCONCLUSIVE: "?", Outcome.PASSED: "✓"}
ORDER = (Outcome.FAILED, Outcome.INCONCLUSIVE, Outcome.PASSED)
STANDS = {
    Status.WAITING_FOR_LOCK: "▷ waits for its turn",
    Status.OPEN: "▷ is looked at",
    Status.AWAITING_APPROVAL: "☛ waits for a decision",
    Status.DEPLOYING: "▷ goes to staging",
    Status.TESTING: "▷ is tested in staging",
    Status.PROMOTING: "▷ goes to production",
    Status.BAKING: "▷ serves, and is watched",
    Status.PROMOTED: "✔ promoted",
    Status.REJECTED: "✖ rejected",
    Status.FAILED: "✖ failed",
    Status.SUPERSEDED: "» superseded",
    Status.EXPIRED: "✖ expired",
    Status.ROLLED_BACK: "↶ rolled back",
    Status.OBSERVED: "○ observed",
}


@dataclass(frozen=True)
class Standing:
    """A release as its message shows it: its newest question, and what serves its group now (version, in words, since when)."""

    release: Release
    request: ApprovalRequest | None
    champion: tuple[int, str, str] | None
    now: str

    @property
    def waits(self) -> bool:
        """Whether a press of the button would count."""
        request, status = self.request, self.release.status
        open_still = request is not None and request.status is RequestStatus.PENDING and self.now < request.expires_at
        return open_still and status is Status.AWAITING_APPROVAL


def message_of(standing: Standing) -> dict[str, Any]:
    """`blocks`, and the `text` that notifications show."""
    release, request = standing.release, standing.request
    title = f"{release.model_package_group} version {release.version}"
    blocks = [
        {"type": "header", "text": plain(title, HEADER_LIMIT)},
        {"type": "section", "text": plain(_line_of(standing), TEXT_LIMIT)},
        {"type": "section", "fields": _fields(standing)},
    ]
    if release.verdicts:
        blocks.append({"type": "section", "text": plain(_gates(release.verdicts), TEXT_LIMIT)})
    if release.weakened:
        rules = _fitting((f"• {_short(rule)}" for rule in release.weakened), "\n", TEXT_LIMIT - ROOM)
        told = f"⚠ The policy asks for less than the one of the version in production:\n{rules}"
        blocks.append({"type": "section", "text": plain(told, TEXT_LIMIT)})
    if request and request.decisions:
        said = "\n".join(_said(*one) for one in _decisions(request))
        blocks.append({"type": "section", "text": plain(said, TEXT_LIMIT)})
    if standing.waits and request:
        blocks += _buttons(release, request)
    blocks.append({"type": "context", "elements": [plain(_small_print(standing), TEXT_LIMIT)]})
    return {"text": escaped(_cut(f"{title}: {_line_of(standing)}", WORDS_SHOWN)), "blocks": blocks}


def refusal_of(reason: str, cure: str) -> dict[str, Any]:
    """What somebody reads, alone, whose press did not count."""
    said = f"That did not count: {reason}. Nothing was changed." + (f"\nWhat to do: {cure}." if cure else "")
    return {
        "text": escaped(_cut(said, TEXT_LIMIT // 6)),
        "blocks": [{"type": "section", "text": plain(said, TEXT_LIMIT)}],
    }


def escaped(text: str) -> str:
    """`&`, `<` and `>` as entities: what is left mentions nobody, links nowhere, is no date, and shows all of itself."""
    return visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def plain(text: str, limit: int) -> Block:
    """A text in which nothing but the words is shown: no formatting, no links, no `:names:` of pictures."""
    return {"type": "plain_text", "text": _escaped_within(text, limit) or " ", "emoji": False}


def formatted(text: str) -> Block:
    """A text of ours; `verbatim` keeps Slack from making links of what looks like one."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _line_of(standing: Standing) -> str:
    release, request = standing.release, standing.request
    line = STANDS[release.status]
    if standing.waits and request:
        return f"{line}: may it go to {request.before}?"
    if release.ended and release.reason:
        return f"{line}: {_short(release.reason)}"
    return line


def _fields(standing: Standing) -> list[Block]:
    """Names on the left, in bold, values on the right."""
    release, request = standing.release, standing.request
    passed = sum(verdict.verdict is Outcome.PASSED for verdict in release.verdicts)
    rows = [
        ("Made by", plain(_short(release.author) or "unknown", FIELD_LIMIT)),
        ("Gates", plain(f"{passed} of {len(release.verdicts)} passed", FIELD_LIMIT)),
        ("Serves now", plain(_champion(standing), FIELD_LIMIT)),
    ]
    if standing.waits and request:
        rows.append(("Asked", formatted(_people(request))))
        rows.append(("Until", formatted(_date(request.expires_at))))
    return [field for name, value in rows for field in (formatted(f"*{name}*"), value)]


def _champion(standing: Standing) -> str:
    if standing.champion is None:
        return "nothing; if this one fails, nothing serves again"
    version, words, since = standing.champion
    if version == standing.release.version:
        return f"this version, since {since[:10]}"
    back = "" if standing.release.ended else "; production goes back to it if this one fails"
    return f"{words}, since {since[:10]}{back}"


def _people(request: ApprovalRequest) -> str:
    """Those who may answer, mentioned where Slack knows them."""
    need = f"; {escaped(must_approve(request))}" if request.quorum > 1 or request.one_of_each else ""
    people = _fitting((_mention(approver) for approver in asked_by(request)), ", ", FIELD_LIMIT - ROOM - len(need))
    return (people or "nobody") + need


def _fitting(parts: Iterable[str], between: str, limit: int, most: int = 1000) -> str:
    """As many of the parts, whole, as a text takes; the rest is counted. Parts may be escaped already."""
    told, rest = "", 0
    for number, part in enumerate(parts):
        longer = f"{told}{between}{part}" if told else part
        if rest or number >= most or len(escaped(longer)) > limit:
            rest += 1
        else:
            told = longer
    return f"{told}{between}… and {rest} more" if rest else told


def _mention(approver: Approver) -> str:
    return f"<@{approver.slack_user}>" if approver.slack_user else escaped(approver.name)


def _date(moment: str) -> str:
    """A time that Slack shows in each reader's own zone."""
    seconds = int(datetime.fromisoformat(moment).timestamp())
    return f"<!date^{seconds}^{{date_short_pretty}} {{time}}|{moment[:16].replace('T', ' ')} UTC>"


def _gates(verdicts: tuple[Verdict, ...]) -> str:
    """One line each, those that did not pass first."""
    ranked = sorted(verdicts, key=lambda verdict: ORDER.index(verdict.verdict))
    lines = (f"{MARKS[one.verdict]} {_short(one.gate)}: {_short(one.reason)}" for one in ranked)
    return _fitting(lines, "\n", TEXT_LIMIT - ROOM, GATES_SHOWN)


def _decisions(request: ApprovalRequest) -> list[tuple[str, str, str, str]]:
    verbs = {Answer.APPROVE: "✓ approved", Answer.REJECT: "✗ rejected"}
    return [(verbs[one.answer], one.approver, one.at, one.comment) for one in request.decisions]


def _said(verb: str, person: str, at: str, comment: str) -> str:
    remark = f": “{_short(comment)}”" if comment else ""
    return f"{verb} by {_short(person)}, {at[:16].replace('T', ' ')} UTC{remark}"


def _buttons(release: Release, request: ApprovalRequest) -> list[Block]:
    title = f"{release.model_package_group} version {release.version}"
    confirm = {
        "title": plain("Approve?", 100),
        "text": plain(
            f"{title} goes to {request.before} once enough people have approved. This cannot be undone here.", 300
        ),
        "confirm": plain("Approve", 30),
        "deny": plain("Not now", 30),
    }
    button = {
        "type": "button",
        "action_id": APPROVE_ACTION,
        "style": "primary",
        "text": plain("Approve", 75),
        "value": Shown(release.release_id, request.before, request.seal).value(),
        "confirm": confirm,
    }
    return [{"type": "actions", "elements": [button]}]


def _small_print(standing: Standing) -> str:
    release, request = standing.release, standing.request
    told = f"Release {release.release_id}"
    if request:
        told += f" · evidence {request.seal[:12]}"
    if standing.waits:
        # A personal link decides for whoever holds it, so none may stand where everybody reads.
        told += f" · to reject it, with a reason: your own link, or lockkeeper reject {release.release_id}"
    return told


def _short(text: str) -> str:
    """A few words in one line."""
    return _cut(" ".join(text.split()), WORDS_SHOWN)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _escaped_within(text: str, limit: int) -> str:
    """Escaped and then no longer than the limit: the words are cut, never an entity."""
    told = escaped(text)
    while len(told) > limit:
        text = _cut(text, max(1, len(text) - max(1, (len(told) - limit) // 5)))
        told = escaped(text)
    return told
