"""List operations: the filters, the order and the pages that all of them share."""

import base64
import binascii
import hashlib
import json
import time
from collections.abc import Callable, Iterable
from datetime import datetime

from localcloud.sagemaker.call import Call
from localcloud.sagemaker.cloud import JsonObject
from localcloud.sagemaker.errors import invalid

PAGE = 10
"""How many items a page holds unless MaxResults says more."""

TOKEN_SECONDS = 86_400

SORT_KEYS = {"CreationTime": "CreationTime", "LastModifiedTime": "LastModifiedTime"}


def select(
    call: Call,
    documents: Iterable[JsonObject],
    *,
    name: str,
    status: str | None = None,
    summary: Callable[[JsonObject], JsonObject],
    answer: str,
    ascending: bool = False,
) -> JsonObject:
    """One page of a List operation.

    `name` and `status` are the members of a document that NameContains, StatusEquals and SortBy=Name/Status speak of;
    `answer` is the member of the response that holds the items.
    """
    found = [one for one in documents if _wanted(call, one, name, status)]
    sort_by = call.get("SortBy", "CreationTime")
    member = SORT_KEYS.get(sort_by, status if sort_by == "Status" and status else name)
    order = call.get("SortOrder", "Ascending" if ascending else "Descending")
    # The name settles the order of what was created in one instant, so that pages neither repeat nor lose an item.
    found.sort(key=lambda one: (one.get(member, ""), str(one.get(name, ""))), reverse=order == "Descending")
    return page(call, [summary(one) for one in found], answer)


def page(call: Call, items: list[JsonObject], answer: str) -> JsonObject:
    """The items from the call's NextToken on, and the token of the rest.

    A token is good for a day, for the question that it was given for, in the account and region that asked.
    """
    start = _start(call)
    end = start + int(call.get("MaxResults") or PAGE)
    result: JsonObject = {answer: items[start:end]}
    if end < len(items):
        result["NextToken"] = base64.b64encode(json.dumps([_asked(call), end, time.time()]).encode()).decode()
    return result


def _start(call: Call) -> int:
    token = call.get("NextToken")
    if not token:
        return 0
    try:
        asked, start, given_at = json.loads(base64.b64decode(token, validate=True))
        expired = time.time() - float(given_at) > TOKEN_SECONDS
        start = int(start)
    except (binascii.Error, ValueError, TypeError):
        raise invalid("Invalid NextToken.") from None
    if asked != _asked(call) or start < 0:
        raise invalid("Invalid NextToken.")
    if expired:
        raise invalid("Invalid NextToken: it has expired.")
    return start


def _asked(call: Call) -> str:
    """The question that a page belongs to: all of it but the page."""
    question = {name: value for name, value in call.parameters.items() if name not in ("NextToken", "MaxResults")}
    text = json.dumps([call.place.account, call.place.region, call.operation, question], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _wanted(call: Call, document: JsonObject, name: str, status: str | None) -> bool:
    contains = call.get("NameContains")
    if contains and contains.lower() not in str(document.get(name, "")).lower():
        return False
    if status and call.get("StatusEquals") and document.get(status) != call["StatusEquals"]:
        return False
    return all(_within(call, document, member) for member in SORT_KEYS)


def _within(call: Call, document: JsonObject, member: str) -> bool:
    moment = float(document.get(member, 0.0))
    after, before = call.get(f"{member}After"), call.get(f"{member}Before")
    created_after, created_before = (
        (call.get("CreatedAfter"), call.get("CreatedBefore")) if member == "CreationTime" else (None, None)
    )
    lower, upper = after or created_after, before or created_before
    return (lower is None or moment > seconds(lower)) and (upper is None or moment < seconds(upper))


def seconds(value: float | str) -> float:
    """A timestamp of a request, which is a number of seconds or an ISO date, in seconds since the epoch."""
    if isinstance(value, int | float):
        return float(value)
    try:
        return datetime.fromisoformat(value.replace("Z", "+00:00")).timestamp()
    except ValueError:
        raise invalid(f"{value!r} is not a timestamp.") from None
