"""The lists of claims: who owes what for lost material, with totals per currency, and what nobody has claimed yet."""

from decimal import Decimal
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Case, Count, IntegerField, OuterRef, QuerySet, Subquery, Sum, Value, When
from django.db.models.functions import Round
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from assessments import claims as ledger
from assessments.claim_forms import ClaimFilter
from assessments.figures import day, money, quantity
from assessments.filters import link
from assessments.models import Claim
from assessments.views import lists
from assessments.views.csvs import file_answer, file_asked, files
from assessments.views.entrance import STAFF, open_to
from production import unknown
from production.models import MaterialOutcome, OpenMaterial
from production.reconcile import MINOR_UNITS, minor_unit
from production.rollup_sums import half_up

PAGE = 50
AHEAD = WAITING = 20
READERS = f"{STAFF} contact"
HEAD = [
    "claim", "state", "factory", "order", "material", "material_name", "unit", "closed_on", "net_issued", "theoretical", "loss",
    "allowed", "excess", "unit_cost", "charge", "currency", "settled_on", "settled_by", "settlement_amount",
    "settlement_currency", "reference",
]  # fmt: skip
WAITING_HEAD = [
    "factory", "order", "material", "material_name", "unit", "closed_on", "net_issued", "theoretical", "loss", "allowed", "excess",
    "unit_cost", "charge", "currency", "waived_claim",
]  # fmt: skip
STATUS = {
    "draft": "info", "sent": "watch", "accepted": "ok", "disputed": "breach", "waived": "no_data", "settled": "ok",
}  # fmt: skip


class ByKey(Paginator):
    """Passes over the rows before a page in the index alone: what a row names is read for the rows of the page."""

    def page(self, number: int | str) -> Page:
        number = self.validate_number(number)
        first = (number - 1) * self.per_page
        keys = self.object_list.values("pk")[first : min(first + self.per_page, self.count)]
        return Page(self.object_list.filter(pk__in=keys), number, self)


# `minor_unit`, as the database takes it.
PLACES = Case(
    *(
        When(currency__in=[currency for currency, its in MINOR_UNITS.items() if its == places], then=Value(places))
        for places in sorted(set(MINOR_UNITS.values()))
    ),
    default=Value(minor_unit("")),
    output_field=IntegerField(),
)


@require_safe
@open_to(READERS)
def claim_list(request: HttpRequest) -> HttpResponseBase:
    """Who owes what for lost material, and what waits to be claimed?"""
    visible = Claim.objects.visible_to(request.user)
    form = ClaimFilter(request.GET, visible)
    of_factory = form.apply(visible, with_currency=False)
    unknown.say_of(request, form)
    words = {"live": _("Open"), "made": _("All but waived"), **dict(Claim.State.choices), "all": _("All")}
    state = unknown.chosen(request, words, "live")
    found = form.apply(visible)
    chosen = {"live": found.live(), "made": found.exclude(state=Claim.State.WAIVED), "all": found}.get(state)
    chosen = found.filter(state=state) if chosen is None else chosen
    chosen = chosen.select_related("factory", "order_material__material", "order_material__order")
    if kind := file_asked(request.GET):
        return file_answer(kind, f"claims-{state}", HEAD, map(_cells, chosen))
    page = Paginator(chosen, PAGE).get_page(request.GET.get("page"))
    tabs = [("live", _("Open")), *Claim.State.choices, ("all", _("All"))]
    if state == "made":
        tabs.insert(1, ("made", _("All but waived")))
    if request.user.role == request.user.Role.CONTACT:
        tabs = [tab for tab in tabs if tab[0] != Claim.State.DRAFT]
    waiting = form.apply(_claimable(request)) if request.user.sees_prices() else MaterialOutcome.objects.none()
    first = list(waiting[: WAITING + 1])
    ahead = form.apply(OpenMaterial.objects.visible_to(request.user).beyond_allowance())
    ahead = ByKey(ahead.select_related("factory", "order", "material"), AHEAD).get_page(request.GET.get("ahead"))
    context = {
        "rows": [_row(claim) for claim in page],
        "totals": [
            {
                **total,
                "charge": money(total["charge"], total["currency"]),
                "open": money(total["open"], total["currency"]),
                "open_url": link(request.GET, state=None, page=None, currency=total["currency"]),
                "url": link(request.GET, state="made", page=None, currency=total["currency"]),
            }
            for total in ledger.totals(of_factory)
        ],
        "tabs": lists.tabs(request.GET, tabs, state),
        "form": form,
        "state": state,
        "clear_url": link(request.GET, factory=None, currency=None, page=None),
        "waiting": [_waiting(outcome) for outcome in first[:WAITING]],
        "waiting_count": waiting.count() if len(first) > WAITING else len(first),
        "waiting_url": reverse("claim_unclaimed") + link(request.GET, state=None, page=None, ahead=None),
        "ahead": [_ahead(supplied) for supplied in ahead],
        "ahead_count": ahead.paginator.count,
        **{f"ahead_{name}": url and f"{url}#ahead" for name, url in lists.pager(request.GET, ahead, "ahead").items()},
        "files": files(request.GET),
        **lists.pager(request.GET, page),
    }
    return render(request, "assessments/claim_list.html", context)


@require_safe
@open_to(STAFF)
def claim_unclaimed(request: HttpRequest) -> HttpResponseBase:
    """Every reconciliation with a charge that nobody has claimed yet, newest first."""
    every = _claimable(request)
    form = ClaimFilter(request.GET, every)
    unknown.say_of(request, form)
    found = form.apply(every)
    if kind := file_asked(request.GET):
        return file_answer(kind, "claims-unclaimed", WAITING_HEAD, map(_waiting_cells, found))
    totals = _totals(form.apply(every, with_currency=False))
    paginator = ByKey(found, PAGE)
    chosen = form.cleaned_data.get("currency")
    paginator.count = sum(total["count"] for total in totals if chosen in ("", None, total["currency"]))
    page = paginator.get_page(request.GET.get("page"))
    context = {
        "rows": [_waiting(outcome) for outcome in page],
        "totals": [{**total, "url": link(request.GET, page=None, currency=total["currency"])} for total in totals],
        "form": form,
        "clear_url": "?",
        "files": files(request.GET),
        **lists.pager(request.GET, page),
    }
    return render(request, "assessments/claim_unclaimed.html", context)


def _claimable(request: HttpRequest) -> QuerySet[MaterialOutcome]:
    """What may be claimed, with `waived`, the key of the last claim of it that was waived."""
    waived = Claim.objects.visible_to(request.user).filter(
        order_material=OuterRef("order_material"), state=Claim.State.WAIVED
    )
    found = ledger.claimable(MaterialOutcome.objects.visible_to(request.user))
    return found.annotate(waived=Subquery(waived.order_by("-pk").values("pk")[:1]))


def _totals(waiting: QuerySet[MaterialOutcome]) -> list[dict[str, Any]]:
    """Per currency how many and what they come to, each rounded as its claim would be. One query."""
    rows = waiting.order_by("currency").values("currency").annotate(count=Count("pk"), sum=Sum(Round("charge", PLACES)))
    return [
        {
            "currency": row["currency"],
            "count": row["count"],
            "charge": money(row["sum"], row["currency"]),
        }
        for row in rows
    ]


def _cells(claim: Claim) -> list[Any]:
    """One claim as a row of the file."""
    supplied = claim.order_material
    return [
        claim.code, claim.state, claim.factory.code, supplied.order.number, supplied.material.code, supplied.material.name,
        supplied.material.unit, claim.closed_on,
        *(_trimmed(each) for each in (claim.net_issued, claim.theoretical, claim.loss, claim.allowed, claim.excess)),
        _trimmed(claim.unit_cost, minor_unit(claim.currency)), _amount(claim.charge, claim.currency), claim.currency,
        claim.settled_on, claim.settled_by, _amount(claim.settlement_amount, claim.settlement_currency),
        claim.settlement_currency, claim.reference,
    ]  # fmt: skip


def _waiting_cells(outcome: MaterialOutcome) -> list[Any]:
    material = outcome.order_material.material
    return [
        outcome.factory.code, outcome.order.number, material.code, material.name, material.unit, outcome.closed_on,
        *(_trimmed(each) for each in (outcome.net_issued, outcome.theoretical, outcome.loss, outcome.allowed, outcome.excess)),
        _trimmed(outcome.unit_cost, minor_unit(outcome.currency)), _amount(outcome.charge, outcome.currency), outcome.currency,
        Claim(pk=outcome.waived).code if outcome.waived else None,
    ]  # fmt: skip


def _amount(value: Decimal | None, currency: str) -> Decimal | None:
    """An amount with the decimals of its currency."""
    return None if value is None else half_up(value, minor_unit(currency))


def _trimmed(value: Decimal | None, least: int = 0) -> Decimal | None:
    """A number without the zeros at its end, beyond the `least` decimals."""
    if value is None:
        return None
    places = max(least, -int(value.normalize().as_tuple().exponent))
    return value.quantize(Decimal(1).scaleb(-places))


def _row(claim: Claim) -> dict[str, Any]:
    order = claim.order_material.order
    return {
        "claim": claim,
        "status": STATUS[claim.state],
        "factory": claim.factory.name,
        "order": order.number,
        "material": claim.order_material.material.name,
        "charge": money(claim.charge, claim.currency),
        "closed": day(claim.closed_on),
    }


def _waiting(outcome: MaterialOutcome) -> dict[str, Any]:
    return {
        "url": reverse("claim_new", args=[outcome.order_material_id]),
        "factory": outcome.factory.name,
        "order": outcome.order.number,
        "material": outcome.order_material.material.name,
        "charge": money(outcome.charge, outcome.currency),
        "closed": day(outcome.closed_on),
        "waived": Claim(pk=outcome.waived) if outcome.waived else None,
    }


def _ahead(supplied: OpenMaterial) -> dict[str, Any]:
    supplied.order.factory = supplied.factory
    return {
        "url": supplied.order.get_absolute_url(),
        "factory": supplied.factory.name,
        "order": supplied.order.number,
        "material": supplied.material.name,
        **{
            name: f"{quantity(round(getattr(supplied, name), 3))} {supplied.material.unit}"
            for name in ("loss", "allowed")
        },
    }
