"""How one score was worked out, and the rows behind each of its numbers."""

from decimal import Decimal
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.models import User
from assessments import charts, definitions, evidence, moves, wording
from assessments.figures import day, percent, plain_percent, points
from assessments.filters import link
from assessments.models import Evaluation
from assessments.views import besides, change, exclusions, objections
from assessments.views import rows as row_tables
from assessments.views.csvs import file_answer, file_asked, files
from assessments.views.entrance import BUSINESS, POLICY, factory_or_404, open_to, sees_money
from assessments.views.judged import evaluation_or_404, evaluations, or_which_there_are
from production.models import Exclusion

PAGE = 50
REVISIONS = 12
SET_ASIDE = 20


@require_safe
@open_to(BUSINESS)
@or_which_there_are
def score_detail(request: HttpRequest, code: str, period: str) -> HttpResponse:
    """Why exactly this score?"""
    factory = factory_or_404(request.user, code)
    evaluation = evaluation_or_404(request, factory, period)
    revisions = list(
        evaluations(request, factory, period)
        .filter(kind=evaluation.kind)
        .order_by("-revision")
        .values("revision", "kind", "computed_at", "score", "raw_grade")[:REVISIONS]
    )
    return render(
        request,
        "assessments/score_detail.html",
        {
            **explained(request, evaluation),
            "card_url": wording.card_url(evaluation),
            "today_url": wording.score_url(evaluation, "today"),
            "sheet_url": sheet_url(evaluation),
            "changes_url": policy_changes_url(evaluation) if request.user.role in POLICY.split() else "",
            "besides": besides.shown(evaluation),
            "revisions": [
                row
                | {
                    "current": row["revision"] == evaluation.revision,
                    "score": points(row["score"]),
                    "url": link(request.GET, revision=row["revision"], kind=row["kind"]),
                }
                for row in revisions
            ],
            "data_as_of": evaluation.computed_at,
        },
    )


def explained(request: HttpRequest, evaluation: Evaluation) -> dict[str, Any]:
    """How a score was worked out, for its page and for the sheet."""
    money = sees_money(request.user)
    found = moves.explain(evaluation)
    return {
        "factory": evaluation.factory,
        "evaluation": evaluation,
        "period": wording.period_name(evaluation),
        "score": points(evaluation.score),
        "summary": wording.summary(evaluation, money),
        "window": wording.when(evaluation),
        "measures": [measure(evaluation, name, money) for name in wording.MEASURES],
        **set_aside(evaluation, request.user),
        "gates": [wording.gate(gate, evaluation.policy) for gate in evaluation.gates],
        "flags": [wording.flag(flag, evaluation.policy) for flag in evaluation.flags],
        "grades": grades(evaluation),
        "change": change.shown(found, request.user) if found else None,
        "opens_policies": request.user.role in POLICY.split(),
        "policy_first": day(evaluation.policy.effective_from),
        "bands": bands(evaluation),
    }


def sheet_url(evaluation: Evaluation) -> str:
    page = evaluation.get_absolute_url()
    return wording.score_url(evaluation).replace(page, f"{page}sheet.pdf", 1)


def policy_changes_url(evaluation: Evaluation) -> str:
    """What its version of the policy changed for the factory, and what has changed since."""
    of = {"factory": evaluation.factory.code}
    if evaluation.category_id:
        of["category"] = evaluation.category.code
    return f"{reverse('policy_changes', args=[evaluation.policy_id])}?{urlencode(of)}"


def measure(evaluation: Evaluation, name: str, money: bool) -> dict[str, Any]:
    """One row of the table, and the section that explains it."""
    stored = evaluation.measures[name]
    state = wording.state(stored)
    counts = stored.get("points") is not None and stored.get("share") is not None
    marked = float(stored["rate"]) if stored.get("rate") is not None and state != wording.NOT_APPLICABLE else None
    label = wording.label(name)
    return {
        "name": name,
        "label": label,
        "state": state,
        "state_word": wording.state_word(name, stored),
        "see_rows": wording.see_rows(name, stored),
        "rule": definitions.rule(name),
        "definition": definitions.definition(name, evaluation),
        "fraction": wording.linked_fraction(name, stored, partial(wording.score_url, evaluation, name), money),
        "value": percent(stored["rate"]) if marked is not None else "–",
        "points": points(stored.get("points")),
        "weight": plain_percent(Decimal(stored["share"]).quantize(Decimal("0.0001"))) if counts else "–",
        "adds": points(stored.get("adds")) if counts else "–",
        "counts": counts,
        "url": wording.score_url(evaluation, name),
        "sentence": wording.sentence(name, stored, evaluation.policy, money),
        "points_rule": wording.points_rule(name, stored),
        "interval": wording.interval_sentence(name, stored),
        "proof": wording.proof(name, stored, evaluation.alpha),
        "flags": [wording.flag(flag, evaluation.policy) for flag in stored.get("flags", [])],
        "facts": facts(evaluation, name, stored),
        "chart": charts.points_rule(
            float(stored["target"]),
            float(stored["limit"]),
            float(stored["zero"]),
            marked,
            wording.LOWER_IS_BETTER[name],
            _("%(label)s: from value to points") % {"label": label},
            wording.points_rule(name, stored),
        )
        if counts
        else "",
        "currencies": currencies(evaluation, stored) if money else [],
    }


def set_aside(evaluation: Evaluation, reader: User) -> dict[str, Any]:
    """What did not count in these days, why and by whom; what has changed of it since this was computed is said. One query."""
    found = list(evidence.all_set_aside(evaluation).visible_to(reader).with_subject()[: SET_ASIDE + 1])
    rows = [
        exclusions.row(each, reader)
        | {"measure": wording.label(evidence.MEASURES[each.kind]), "since": since(each, evaluation)}
        for each in found[:SET_ASIDE]
    ]
    url = f"{reverse('exclusion_list')}?factory={evaluation.factory.code}"
    return {"set_aside": rows, "set_aside_url": url, "more_set_aside": len(found) > SET_ASIDE}


def since(each: Exclusion, evaluation: Evaluation) -> str:
    """What happened to an exclusion after an evaluation was computed."""
    if each.lifted_on:
        return _("Counted again since %(day)s") % {"day": day(each.lifted_on)}
    return _("After this was computed") if each.decided_at > evaluation.computed_at else ""


def facts(evaluation: Evaluation, name: str, stored: dict) -> list[tuple[str, Any]]:
    """What else was counted: other estimates and by-numbers that do not enter the score, each leading to its rows."""
    first, last = stored.get("first"), stored.get("last")
    found: list[tuple[str, Any]] = [(_("Days"), f"{day(first)} – {day(last)}")] if first and last else []

    def of(text: object, part: str = "") -> SafeString:
        url = wording.score_url(evaluation, name, **({"counted": part} if part else {}))
        return format_html('<a href="{}">{}</a>', url, text)

    if name == "defect":
        lots = stored.get("lots", 0)
        rejected = format_html(_("{n} of {all}"), n=of(stored.get("lots_rejected", 0), "rejected"), all=of(lots))
        found += [
            (_("Lots rejected"), rejected),
            (_("Lots with a critical defect"), of(stored.get("lots_with_critical", 0), "critical")),
        ]
        optional = [
            (_("Share of deliveries inspected"), "coverage", "deliveries"),
            (_("Mean of the lots’ rates"), "lot_weighted", ""),
            (_("Weighted by delivered quantity"), "quantity_weighted", ""),
        ]
        found += [
            (words, of(percent(stored[key]), part)) for words, key, part in optional if stored.get(key) is not None
        ]
        if stored.get("deff") is not None and Decimal(stored["deff"]) > 1:
            times = _("%(times)s times what chance gives") % {"times": points(stored["deff"], 1)}
            found.append((_("How much the lots differ (design effect)"), times))
    elif name == "otif":
        in_time = format_html(_("{n} of {all}"), n=of(stored.get("otd", 0), "in-time"), all=of(stored["den"]))
        found.append((_("On time, whatever the quantity"), in_time))
        if stored.get("qty_rate") is not None:
            found.append((_("Quantity on time"), of(percent(stored["qty_rate"]))))
        if stored.get("avg_days_late_when_late") is not None:
            found.append((_("Days late, when late"), of(points(stored["avg_days_late_when_late"], 1), "delayed")))
        if stored.get("open"):
            found.append((_("Of them still open"), of(stored["open"], "open")))
    return found


def currencies(evaluation: Evaluation, stored: dict) -> list[tuple[str, Any]]:
    """Where there are several currencies, the rate of each and what it was counted from."""
    found = stored.get("currencies", [])
    return (
        [
            (
                row["currency"],
                format_html(
                    "{} · {}",
                    percent(row["rate"]),
                    wording.linked_fraction(
                        "loss", stored | row, partial(wording.score_url, evaluation, "loss", currency=row["currency"])
                    ),
                ),
            )
            for row in found
        ]
        if len(found) > 1
        else []
    )


def grades(evaluation: Evaluation) -> list[tuple[str, str]]:
    """From the average to the grade: (what it is, grade)."""
    few = evaluation.score is None
    steps = [(_("By the score alone"), evaluation.ungated_grade if not few else "no_data")]
    if evaluation.gates:
        steps.append((_("After the caps"), evaluation.raw_grade if not few else "no_data"))
    if evaluation.kind == Evaluation.Kind.MONTH:
        steps.append((_("Published"), evaluation.published_grade or "not_rated"))
    return steps


def bands(evaluation: Evaluation) -> str:
    policy = evaluation.policy
    return _("Excellent from %(excellent)s, Good from %(good)s, Passing from %(passing)s, else Failing.") % {
        "excellent": f"{policy.excellent_from.normalize():f}",
        "good": f"{policy.good_from.normalize():f}",
        "passing": f"{policy.passing_from.normalize():f}",
    }


@require_safe
@open_to(BUSINESS)
@or_which_there_are
def score_rows(request: HttpRequest, code: str, period: str, measure: str) -> HttpResponseBase:
    """Which rows made it so?"""
    factory = factory_or_404(request.user, code)
    evaluation = evaluation_or_404(request, factory, period)
    money = sees_money(request.user)
    found = row_tables.chosen(request, evaluation, measure)
    if kind := file_asked(request.GET):
        name = "-".join(filter(None, [factory.code, period, measure, found.part, found.currency]))
        return file_answer(
            kind, name, found.table.csv_head(money), (found.table.csv_row(row, factory, money) for row in found.rows)
        )
    stored = evaluation.measures[measure]
    differs = evidence.differs(evaluation, measure, found.now, found.currency)
    return render(
        request,
        "assessments/score_rows.html",
        {
            "factory": factory,
            "evaluation": evaluation,
            "measure": measure,
            "label": wording.label(measure),
            "period": wording.period_name(evaluation),
            "sentence": wording.sentence(measure, stored, evaluation.policy, money),
            "days": " – ".join(day(end) for end in evidence.window(evaluation, measure)),
            "rule": definitions.rule(measure),
            "differs": differs,
            "stored": wording.fraction(measure, stored_of(stored, found.currency), money),
            "card_url": wording.card_url(evaluation),
            "score_url": wording.score_url(evaluation),
            **listed(request, found, evaluation, measure, money),
            "if_on_time": if_on_time(evaluation) if found.part == "late" and not differs else "",
            "data_as_of": evaluation.computed_at,
        },
    )


def if_on_time(evaluation: Evaluation) -> str:
    gain = evidence.one_more_on_time(evaluation)
    return "" if gain is None else definitions.one_more_on_time(evaluation.measures["otif"], gain)


def stored_of(stored: dict, currency: str) -> dict:
    """What was stored of a measure; of loss in a currency, the numbers of that currency."""
    return stored | next((row for row in stored.get("currencies", []) if row["currency"] == currency), {})


def listed(
    request: HttpRequest, found: row_tables.Chosen, evaluation: Evaluation, measure: str, money: bool
) -> dict[str, Any]:
    """One page of the rows, for either page that lists rows behind a number."""
    paginator = Paginator(objections.with_objections(found.rows, request.user), PAGE)
    paginator.count = found.count
    page = paginator.get_page(request.GET.get("page"))
    return {
        "part": found.part,
        "tabs": tabs(request, measure, found),
        "head": found.table.head(money, request.GET),
        "rows": [
            found.table.cells(row, evaluation.factory, money)
            | {
                "exclusion": objections.exclusion_link(row, request.user),
                "dispute": objections.dispute_link(row, evaluation.factory, request.user),
            }
            for row in page.object_list
        ],
        "together": found.together(evaluation, measure, money),
        "explained": found.explained(measure),
        "files": files(request.GET),
        "prev_url": link(request.GET, page=page.previous_page_number()) if page.has_previous() else None,
        "next_url": link(request.GET, page=page.next_page_number()) if page.has_next() else None,
        "page_text": _("%(first)s–%(last)s of %(total)s")
        % {"first": page.start_index(), "last": page.end_index(), "total": paginator.count}
        if paginator.num_pages > 1
        else "",
    }


def tabs(request: HttpRequest, measure: str, found: row_tables.Chosen) -> list[dict[str, Any]]:
    """The two parts that make up all rows, all of them, and the part that was asked for where it is another one."""
    counts = {part: found.now.parts[part] for part in evidence.SPLITS[measure]} | {"all": found.now.every}
    if found.part not in counts:
        counts[found.part] = found.count
    counts |= {part: n for part, n in found.outside.items() if n}
    return [
        {
            "label": row_tables.WORDS[part],
            "url": link(request.GET, counted=part, page=None),
            "current": part == found.part,
            "count": count,
        }
        for part, count in counts.items()
    ]
