"""How one score was worked out, and the rows behind each of its numbers."""

import datetime
from decimal import Decimal
from typing import Any

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from assessments import charts, evidence, moves, wording
from assessments.figures import day, month_end, percent, plain_percent, points
from assessments.filters import link
from assessments.models import Evaluation
from assessments.views import change, disputes
from assessments.views import rows as row_tables
from assessments.views.csvs import csv_answer
from assessments.views.entrance import BUSINESS, POLICY, factory_or_404, open_to, sees_money
from factories.models import Factory

PAGE = 50
REVISIONS = 12


def evaluation_or_404(request: HttpRequest, factory: Factory, period: str) -> Evaluation:
    """The newest judgement of a month or a day, or the revision and category that the query string names."""
    found = evaluations(request, factory, period).select_related("policy__factory", "policy__category", "category")
    revision = request.GET.get("revision", "")
    if revision.isdecimal() and len(revision) < 9:
        found = found.filter(revision=int(revision), kind=request.GET.get("kind", "").replace("\0", "") or "month")
    evaluation = found.order_by("-computed_at", "-pk").first()
    if evaluation is None:
        raise Http404("No evaluation of that period.")
    evaluation.factory = factory
    return evaluation


def evaluations(request: HttpRequest, factory: Factory, period: str) -> QuerySet[Evaluation]:
    """Every revision of a period, in the category that the query string names."""
    found = Evaluation.objects.visible_to(request.user).filter(factory=factory)
    category = request.GET.get("category", "").replace("\0", "")
    found = found.filter(category__code=category) if category else found.whole()
    try:
        if len(period) == len("2026-11"):
            return found.filter(kind="month", as_of=month_end(datetime.date.fromisoformat(f"{period}-01")))
        return found.filter(kind__in=["live", "night"], as_of=datetime.date.fromisoformat(period))
    except ValueError:
        raise Http404("No such day.") from None


@require_safe
@open_to(BUSINESS)
def score_detail(request: HttpRequest, code: str, period: str) -> HttpResponse:
    """Why exactly this score?"""
    factory = factory_or_404(request.user, code)
    evaluation = evaluation_or_404(request, factory, period)
    money = sees_money(request.user)
    revisions = list(
        evaluations(request, factory, period)
        .filter(kind=evaluation.kind)
        .order_by("-revision")
        .values("revision", "kind", "computed_at", "score", "raw_grade")[:REVISIONS]
    )
    found = moves.explain(evaluation)
    return render(
        request,
        "assessments/score_detail.html",
        {
            "factory": factory,
            "evaluation": evaluation,
            "period": wording.period_name(evaluation),
            "score": points(evaluation.score),
            "summary": wording.summary(evaluation, money),
            "window": wording.when(evaluation),
            "measures": [measure(evaluation, name, money) for name in wording.MEASURES],
            "gates": [wording.gate(gate) for gate in evaluation.gates],
            "flags": [wording.flag(flag) for flag in evaluation.flags],
            "grades": grades(evaluation),
            "change": change.shown(found, request.user) if found else None,
            "revisions": [
                row
                | {
                    "current": row["revision"] == evaluation.revision,
                    "score": points(row["score"]),
                    "url": link(request.GET, revision=row["revision"], kind=row["kind"]),
                }
                for row in revisions
            ],
            "opens_policies": request.user.role in POLICY.split(),
            "policy_first": day(evaluation.policy.effective_from),
            "bands": bands(evaluation),
            "data_as_of": evaluation.computed_at,
        },
    )


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
        "rule": wording.rule(name, stored),
        "fraction": wording.fraction(name, stored, money),
        "value": percent(stored["rate"]) if marked is not None else "–",
        "points": points(stored.get("points")),
        "weight": plain_percent(Decimal(stored["share"]).quantize(Decimal("0.0001"))) if counts else "–",
        "adds": points(stored.get("adds")) if counts else "–",
        "counts": counts,
        "url": wording.score_url(evaluation, name),
        "sentence": wording.sentence(name, stored, evaluation.policy, money),
        "points_rule": wording.points_rule(name, stored),
        "interval": wording.interval(stored),
        "proof": wording.proof(name, stored),
        "flags": [wording.flag(flag) for flag in stored.get("flags", [])],
        "facts": facts(name, stored),
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
        "currencies": stored.get("currencies", []) if money and len(stored.get("currencies", [])) > 1 else [],
    }


def facts(name: str, stored: dict) -> list[tuple[str, str]]:
    """What else was counted: other estimates and by-numbers that do not enter the score."""
    first, last = stored.get("first"), stored.get("last")
    found = [(_("Days"), f"{day(first)} – {day(last)}")] if first and last else []
    if name == "defect":
        found += [
            (
                _("Lots rejected"),
                _("%(n)s of %(all)s") % {"n": stored.get("lots_rejected", 0), "all": stored.get("lots", 0)},
            ),
            (_("Lots with a critical defect"), str(stored.get("lots_with_critical", 0))),
        ]
        optional = [
            (_("Share of deliveries inspected"), "coverage"),
            (_("Mean of the lots’ rates"), "lot_weighted"),
            (_("Weighted by delivered quantity"), "quantity_weighted"),
        ]
        found += [(words, percent(stored[key])) for words, key in optional if stored.get(key) is not None]
        if stored.get("deff") is not None and Decimal(stored["deff"]) > 1:
            found.append((_("Design effect (defects come in lots)"), points(stored["deff"])))
    elif name == "otif":
        found.append(
            (
                _("On time, whatever the quantity"),
                _("%(n)s of %(all)s") % {"n": stored.get("otd", 0), "all": stored["den"]},
            )
        )
        if stored.get("qty_rate") is not None:
            found.append((_("Quantity on time"), percent(stored["qty_rate"])))
        if stored.get("avg_days_late_when_late") is not None:
            found.append((_("Days late, when late"), points(stored["avg_days_late_when_late"], 1)))
        if stored.get("open"):
            found.append((_("Of them still open"), str(stored["open"])))
    return found


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
def score_rows(request: HttpRequest, code: str, period: str, measure: str) -> HttpResponse:
    """Which rows made it so?"""
    factory = factory_or_404(request.user, code)
    evaluation = evaluation_or_404(request, factory, period)
    money = sees_money(request.user)
    every = evidence.rows(evaluation, measure)
    now = evidence.counted(evaluation, measure, every)
    part, table, found, out = row_tables.choose(
        evaluation, measure, request.GET.get("counted", "all"), every, request.user
    )
    if request.GET.get("format") == "csv":
        name = f"{factory.code}-{period}-{measure}-{part}"
        return csv_answer(name, table.csv_head(money), (table.csv_row(row, factory, money) for row in found))
    paginator = Paginator(found, PAGE)
    paginator.count = out[part] if part in out else now.parts.get(part, now.every)
    page = paginator.get_page(request.GET.get("page"))
    stored = evaluation.measures[measure]
    disputed = disputes.on_rows(page.object_list, measure, factory, request.user)
    return render(
        request,
        "assessments/score_rows.html",
        {
            "factory": factory,
            "evaluation": evaluation,
            "measure": measure,
            "label": wording.label(measure),
            "part": part,
            "period": wording.period_name(evaluation),
            "sentence": wording.sentence(measure, stored, evaluation.policy, money),
            "days": " – ".join(day(end) for end in evidence.window(evaluation, measure)),
            "rule": wording.rule(measure, stored),
            "tabs": tabs(request, measure, part, now, out),
            "head": table.head(money),
            "rows": [
                table.cells(row, factory, money)
                | {"dispute": disputed.get(disputes.key(row, measure)), "exclusion": exclusion}
                for row, exclusion in row_tables.with_exclusion(page.object_list, request.user)
            ],
            "differs": evidence.differs(evaluation, measure, now),
            "stored": wording.fraction(measure, stored, money),
            "explained": row_tables.WHY.get(part, ""),
            "csv_url": link(request.GET, format="csv", page=None),
            "score_url": wording.score_url(evaluation),
            "prev_url": link(request.GET, page=page.previous_page_number()) if page.has_previous() else None,
            "next_url": link(request.GET, page=page.next_page_number()) if page.has_next() else None,
            "page_text": _("%(first)s–%(last)s of %(total)s")
            % {"first": page.start_index(), "last": page.end_index(), "total": paginator.count}
            if paginator.num_pages > 1
            else "",
            "data_as_of": evaluation.computed_at,
        },
    )


def tabs(
    request: HttpRequest, measure: str, part: str, now: evidence.Counted, out: dict[str, int]
) -> list[dict[str, Any]]:
    words = {
        "late": _("Late"),
        "on-time": _("On time"),
        "defective": _("With defects"),
        "clean": _("Without"),
        "charged": _("Beyond the allowance"),
        "within": _("Within it"),
    }
    bad, good = evidence.SPLITS[measure]
    found = [(bad, words[bad], now.parts[bad]), (good, words[good], now.parts[good]), ("all", _("All"), now.every)]
    words = {"left-out": _("Not counted"), "set-aside": _("Set aside")}
    found += [(name, words[name], out[name]) for name in words if out.get(name)]
    return [
        {"label": word, "url": link(request.GET, counted=name, page=None), "current": name == part, "count": n}
        for name, word, n in found
    ]
