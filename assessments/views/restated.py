"""Published grades that today's facts would change, and the late edits behind them."""

from collections.abc import Sequence
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from accounts.models import User
from assessments import late_edits, wording
from assessments import restated as rules
from assessments.figures import day, points
from assessments.filters import link
from assessments.late_edits import Edit
from assessments.models import Evaluation, Grade
from assessments.restated import Month
from assessments.views import lists
from assessments.views.csvs import csv_answer
from assessments.views.entrance import BUSINESS, open_to, sees_money, who
from factories.models import Factory

PAGE = 50
MONTHS_HEAD = ["factory", "name", "month", "published_grade", "published_score", "grade_by_todays_facts", "score_by_todays_facts",
               "revision", "first_computed_at", "newest_computed_at"]  # fmt: skip
EDITS_HEAD = ["at", "factory", "name", "what", "order_line", "counts_for", "done", "by", "reason"]
KINDS = {
    "delivery": gettext_lazy("Delivery"), "inspection": gettext_lazy("Inspection"),
    "cancellation": gettext_lazy("Cancellation"), "revision": gettext_lazy("Date revision"),
    "movement": gettext_lazy("Material movement"), "closing": gettext_lazy("Closing of an order"),
}  # fmt: skip
DONE = {"insert": gettext_lazy("entered"), "update": gettext_lazy("changed"), "delete": gettext_lazy("deleted")}


@require_safe
@open_to(BUSINESS)
def restated(request: HttpRequest) -> HttpResponse:
    """Which published grades would be others by today's facts, and who came late with what?"""
    factories = {each.pk: each for each in Factory.objects.visible_to(request.user).order_by("code")}
    code = request.GET.get("factory", "").replace("\0", "").strip().upper()
    chosen = {pk: each for pk, each in factories.items() if not code or each.code.upper() == code}
    shows_edits = request.GET.get("show") == "edits"
    context = {
        "factories": [
            {"code": each.code, "name": each.name, "chosen": each.code == code} for each in factories.values()
        ],
        "code": code,
        "shows_edits": shows_edits,
        "tabs": [
            {"label": _("Grades"), "url": link(request.GET, show=None, page=None), "current": not shows_edits},
            {"label": _("Late edits"), "url": link(request.GET, show="edits", page=None), "current": shows_edits},
        ],
        "csv_url": link(request.GET, format="csv", page=None),
    }
    part = edits if shows_edits else grades
    return part(request, chosen, context)


def grades(request: HttpRequest, factories: dict[int, Factory], context: dict[str, Any]) -> HttpResponse:
    """The months, whose grade or score would be another."""
    only = request.GET.get("only") == "grade"
    found = rules.months(Evaluation.objects.visible_to(request.user).filter(factory__in=list(factories)))
    shown = [month for month in found if month.other_grade or not only]
    if request.GET.get("format") == "csv":
        stored = of(shown)
        rows = (csv_row(month, factories[month.factory], stored) for month in shown)
        return csv_answer("restated", MONTHS_HEAD, rows)
    page = Paginator(shown, PAGE).get_page(request.GET.get("page"))
    stored = of(page.object_list, full=True)
    money = sees_money(request.user)
    context |= {
        "rows": [row(month, factories[month.factory], stored, money) for month in page],
        "only": only,
        "all_url": link(request.GET, only=None, page=None),
        "only_url": link(request.GET, only="grade", page=None),
        "all_count": len(found),
        "only_count": sum(month.other_grade for month in found),
        **lists.pager(request.GET, page),
    }
    return render(request, "assessments/restated.html", context)


def of(months: Sequence[Month], full: bool = False) -> dict[int, Evaluation]:
    """Both revisions of each month. One query."""
    ids = [each.id for month in months for each in (month.first, month.newest)]
    found = Evaluation.objects.filter(pk__in=ids)
    return (found.defer("sums") if full else found.only("computed_at")).in_bulk()


def csv_row(month: Month, factory: Factory, stored: dict[int, Evaluation]) -> list[Any]:
    moments = [stored[each.id].computed_at.isoformat(timespec="seconds") for each in (month.first, month.newest)]
    return [
        factory.code, factory.name, f"{month.as_of:%Y-%m}", month.first.published, month.first.score, month.would_publish,
        month.newest.score, month.newest.revision, *moments,
    ]  # fmt: skip


def row(month: Month, factory: Factory, stored: dict[int, Evaluation], money: bool) -> dict[str, Any]:
    first, newest = stored[month.first.id], stored[month.newest.id]
    first.factory = newest.factory = factory
    return {
        "factory": factory,
        "month": wording.period_name(first),
        "published": month.first.published or Grade.NOT_RATED,
        "score": points(month.first.score),
        "first_url": wording.score_url(first, revision=first.revision, kind=first.kind),
        "would": month.would_publish or Grade.NOT_RATED,
        "would_score": points(month.newest.score),
        "newest_url": wording.score_url(newest, revision=newest.revision, kind=newest.kind),
        "revision": newest.revision,
        "computed": newest.computed_at,
        "other_grade": month.other_grade,
        "came": came(first, newest, money),
    }


def came(first: Evaluation, newest: Evaluation, money: bool) -> list[tuple[str, str, str]]:
    """What came late, as the measures whose counts moved: (measure, was, is)."""
    found = []
    for name in wording.MEASURES:
        was, now = first.measures.get(name), newest.measures.get(name)
        if was and now and (was["num"], was["den"]) != (now["num"], now["den"]):
            found.append((wording.label(name), wording.fraction(name, was, money), wording.fraction(name, now, money)))
    if first.policy_id != newest.policy_id:
        found.append((_("Policy"), _("another one"), _("that of now")))
    return found


def edits(request: HttpRequest, factories: dict[int, Factory], context: dict[str, Any]) -> HttpResponse:
    """The late edits, newest first."""
    if request.GET.get("format") == "csv":
        found, _count = late_edits.edits(list(factories), None)
        persons = people(found)
        rows = (edit_row(each, factories[each.factory], persons, request.user) for each in found)
        return csv_answer("late-edits", EDITS_HEAD, map(edit_cells, rows))
    number = request.GET.get("page", "")
    place = max(int(number), 1) if number.isascii() and number.isdigit() and len(number) < 7 else 1
    found, count = late_edits.edits(list(factories), PAGE, (place - 1) * PAGE)
    persons = people(found)
    context |= {
        "rows": [edit_row(each, factories[each.factory], persons, request.user) for each in found],
        "shows_reasons": request.user.reads_all_factories(),
        "prev_url": link(request.GET, page=place - 1) if place > 1 else "",
        "next_url": link(request.GET, page=place + 1) if place * PAGE < count else "",
    }
    return render(request, "assessments/restated.html", context)


def people(found: Sequence[Edit]) -> dict[int, User]:
    return User.objects.in_bulk({each.user for each in found if each.user})


def edit_row(edit: Edit, factory: Factory, persons: dict[int, User], reader: User) -> dict[str, Any]:
    """One late edit; what a factory contact reads holds neither our names nor our notes."""
    person = persons.get(edit.user or 0)
    line = f"{edit.order}/{edit.line}" if edit.line else edit.detail if edit.kind in ("movement", "closing") else ""
    titles = {"delivery": f"D-{edit.id}", "inspection": f"I-{edit.id}"}
    urls = {"delivery": f"/deliveries/D-{edit.id}/", "inspection": f"/inspections/I-{edit.id}/"}
    return {
        "at": edit.at,
        "factory": factory,
        "kind": _("Delivery taken back") if edit.detail == "reversal" else KINDS[edit.kind],
        "title": titles.get(edit.kind, ""),
        "url": urls.get(edit.kind, "") if edit.label != "delete" else "",
        "line": line,
        "day": day(edit.day),
        "done": DONE.get(edit.label, edit.label),
        "who": who(person, reader) if person else _("the system"),
        "reason": edit.reason if reader.reads_all_factories() else "",
    }


def edit_cells(row: dict[str, Any]) -> list[Any]:
    return [
        row["at"].isoformat(timespec="seconds"), row["factory"].code, row["factory"].name, f"{row['kind']} {row['title']}".strip(),
        row["line"], row["day"], row["done"], row["who"], row["reason"],
    ]  # fmt: skip
