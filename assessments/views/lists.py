"""What the lists of this floor have around their rows: their states as tabs, and the way to the other pages."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.core.paginator import Page
from django.db.models import Count, Q, QuerySet
from django.http import QueryDict

from assessments.filters import link


def counts(visible: QuerySet, states: Mapping[str, tuple[Any, Q]]) -> dict[str, int]:
    """How many rows each state has. One query."""
    return visible.order_by().aggregate(
        **{name: Count("pk", filter=q) if q else Count("pk") for name, (_word, q) in states.items()}
    )


def tabs(
    params: QueryDict, words: Iterable[tuple[str, Any]], current: str, numbers: Mapping[str, int] | None = None
) -> list[dict[str, Any]]:
    """The states as links, from the first page of each; with how many rows where that is known."""
    return [
        {
            "label": word,
            "url": link(params, state=name, page=None),
            "current": name == current,
            **({"count": numbers[name]} if numbers else {}),
        }
        for name, word in words
    ]


def pager(params: QueryDict, page: Page, name: str = "page") -> dict[str, str]:
    """Where the rows before and after this page are; "" where there are none. `name`: the parameter that turns it."""
    return {
        "prev_url": link(params, **{name: page.previous_page_number()}) if page.has_previous() else "",
        "next_url": link(params, **{name: page.next_page_number()}) if page.has_next() else "",
    }
