"""What factories owe for lost material: the list with totals per currency, one claim, its sheet."""

import re
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from assessments import claims as ledger
from assessments import pdf
from assessments.claim_forms import EvidenceForm, MoveForm, SettleForm
from assessments.figures import day, money, percent, quantity
from assessments.models import Claim
from assessments.views import lists
from assessments.views.csvs import file_answer, file_asked, files
from assessments.views.entrance import STAFF, open_to, today, who
from production.errors import BadInput
from production.models import MaterialOutcome, OrderMaterial
from production.supplies import beyond_allowance

PAGE = 50
AHEAD = 20
CURRENCY = re.compile("[A-Z]{3}")
READERS = f"{STAFF} contact"
HEAD = [
    "claim", "state", "factory", "order", "material", "material_name", "unit", "closed_on", "net_issued", "theoretical", "loss",
    "allowed", "excess", "unit_cost", "charge", "currency", "settled_on", "settled_by", "settlement_amount",
    "settlement_currency", "reference",
]  # fmt: skip
STATUS = {
    "draft": "info", "sent": "watch", "accepted": "ok", "disputed": "breach", "waived": "no_data", "settled": "ok",
}  # fmt: skip
WORDS = {
    "send": gettext_lazy("Send to the factory"),
    "accept": gettext_lazy("Accept"),
    "dispute": gettext_lazy("Dispute"),
    "waive": gettext_lazy("Waive"),
    "settle": gettext_lazy("Settle"),
}
STEPS = {
    "made": gettext_lazy("Made"),
    "send": gettext_lazy("Sent to the factory"),
    "accept": gettext_lazy("Accepted"),
    "dispute": gettext_lazy("Disputed"),
    "waive": gettext_lazy("Waived"),
    "settle": gettext_lazy("Settled"),
}


@require_safe
@open_to(READERS)
def claim_list(request: HttpRequest) -> HttpResponseBase:
    """Who owes what for lost material, and what waits to be claimed?"""
    visible = Claim.objects.visible_to(request.user)
    state = request.GET.get("state", "live")
    state = state if state in (*Claim.State.values, "live", "made", "all") else "live"
    chosen = {"live": visible.live(), "made": visible.exclude(state=Claim.State.WAIVED), "all": visible}.get(state)
    chosen = visible.filter(state=state) if chosen is None else chosen
    currency = request.GET.get("currency", "")
    if CURRENCY.fullmatch(currency):
        chosen = chosen.filter(currency=currency)
    chosen = chosen.select_related("factory", "order_material__material", "order_material__order")
    if kind := file_asked(request.GET):
        return file_answer(kind, f"claims-{state}", HEAD, map(_cells, chosen))
    page = Paginator(chosen, PAGE).get_page(request.GET.get("page"))
    tabs = [("live", _("Open")), *Claim.State.choices, ("all", _("All"))]
    if state == "made":
        tabs.insert(1, ("made", _("All but waived")))
    if request.user.role == request.user.Role.CONTACT:
        tabs = [tab for tab in tabs if tab[0] != Claim.State.DRAFT]
    waiting = ledger.claimable()[:20] if request.user.sees_prices() else []
    ahead = beyond_allowance(OrderMaterial.objects.visible_to(request.user))
    ahead = list(ahead.select_related("factory", "order", "material")[: AHEAD + 1])
    context = {
        "rows": [_row(claim) for claim in page],
        "totals": [
            {
                **total,
                "charge": money(total["charge"], total["currency"]),
                "open": money(total["open"], total["currency"]),
                "open_url": f"?currency={total['currency']}",
                "url": f"?state=made&currency={total['currency']}",
            }
            for total in ledger.totals(visible)
        ],
        "tabs": lists.tabs(request.GET, tabs, state),
        "waiting": [_waiting(outcome) for outcome in waiting],
        "ahead": [_ahead(supplied) for supplied in ahead[:AHEAD]],
        "ahead_more": len(ahead) > AHEAD,
        "files": files(request.GET),
        **lists.pager(request.GET, page),
    }
    return render(request, "assessments/claim_list.html", context)


def _cells(claim: Claim) -> list[Any]:
    """One claim as a row of the file."""
    supplied = claim.order_material
    return [
        claim.code, claim.state, claim.factory.code, supplied.order.number, supplied.material.code, supplied.material.name,
        supplied.material.unit, claim.closed_on, claim.net_issued, claim.theoretical, claim.loss, claim.allowed, claim.excess,
        claim.unit_cost, claim.charge, claim.currency, claim.settled_on, claim.settled_by, claim.settlement_amount,
        claim.settlement_currency, claim.reference,
    ]  # fmt: skip


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
    }


def _ahead(supplied: OrderMaterial) -> dict[str, Any]:
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


@open_to(STAFF)
def claim_new(request: HttpRequest, pk: int) -> HttpResponse:
    """Make a claim of one reconciliation: it is shown once more, with room for evidence."""
    outcome = get_object_or_404(
        MaterialOutcome.objects.visible_to(request.user).select_related("factory", "order", "order_material__material"),
        pk=pk,
    )
    form = EvidenceForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                claim = ledger.make(outcome, request.user, form.cleaned_data["evidence"])
            messages.success(
                request, _("Claim %(code)s is a draft. Send it when it is complete.") % {"code": claim.code}
            )
            return HttpResponseRedirect(claim.get_absolute_url())
        except BadInput as problem:
            form.add_error(None, problem.message)
        except IntegrityError:
            earlier = Claim.objects.exclude(state=Claim.State.WAIVED).get(order_material=pk)
            messages.info(request, _("%(code)s was made for it already.") % {"code": earlier.code})
            return HttpResponseRedirect(earlier.get_absolute_url())
    context = {
        "outcome": outcome,
        "form": form,
        "sheet": sheet(outcome, outcome.order_material.material.unit, ledger.movements(outcome)),
        "charge": money(outcome.charge, outcome.currency),
    }
    return render(request, "assessments/claim_new.html", context, status=422 if form.errors else 200)


@require_safe
@open_to(READERS)
def claim_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One claim: what it rests on, where it stands, what may be done."""
    return _show(request, _claim(request, pk))


def _claim(request: HttpRequest, pk: int) -> Claim:
    found = Claim.objects.visible_to(request.user)
    return get_object_or_404(
        found.select_related("factory", "order_material__material", "order_material__order"), pk=pk
    )


def _show(request: HttpRequest, claim: Claim, form: Any = None, asked: str = "") -> HttpResponse:
    moves = []
    for move in ledger.moves_for(claim, request.user):
        mine = form if move.name == asked else None
        if move.name == "settle":
            mine = mine or SettleForm(initial={"settled_on": today(), "settlement_currency": claim.currency})
        else:
            mine = mine or MoveForm(needs_reason=move.needs_note)
        moves.append({"name": move.name, "word": WORDS[move.name], "form": mine, "needs_reason": move.needs_note})
    steps = [
        {"what": STEPS.get(step.what, step.what), "by": who(step.by, request.user), "at": step.at, "note": step.note}
        for step in claim.steps.select_related("by")
    ]
    context = {
        "claim": claim,
        "status": STATUS[claim.state],
        "order": claim.order_material.order,
        "sheet": _sheet_of(claim),
        "charge": money(claim.charge, claim.currency),
        "settlement": _settlement(claim),
        "moves": moves,
        "steps": steps,
        "form": form,
    }
    return render(request, "assessments/claim_detail.html", context, status=422 if form is not None else 200)


def _settlement(claim: Claim) -> str:
    if claim.settled_on is None:
        return ""
    words = f"{claim.get_settled_by_display()}, {day(claim.settled_on)}: "
    words += money(claim.settlement_amount, claim.settlement_currency)
    if claim.settlement_rate is not None:
        words += " " + _("(1 %(from)s = %(rate)s %(to)s)") % {
            "from": claim.currency, "rate": quantity(claim.settlement_rate), "to": claim.settlement_currency,
        }  # fmt: skip
    return words


@require_POST
@open_to(READERS)
def claim_move(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    """Send, accept, dispute, waive or settle."""
    claim = _claim(request, pk)
    wanted = ledger.MOVES[name]
    if request.user.role not in wanted.roles:
        return render(request, "403.html", status=403)
    form: Any = SettleForm(request.POST) if name == "settle" else MoveForm(request.POST, needs_reason=wanted.needs_note)
    if form.is_valid():
        try:
            done = ledger.move(claim, name, request.user, **form.cleaned_data)
        except BadInput as problem:
            form.add_error(problem.field if problem.field in form.fields else None, problem.message)
        else:
            if not done:
                messages.info(request, _("Somebody moved this claim first; this is how it stands now."))
            return HttpResponseRedirect(claim.get_absolute_url())
    return _show(request, claim, form, name)


@require_safe
@open_to(READERS)
def claim_sheet(request: HttpRequest, pk: int) -> HttpResponse:
    """The reconciliation sheet of a claim as PDF, for the factory's file."""
    claim = _claim(request, pk)
    html = render_to_string(
        "assessments/claim_sheet.html",
        {
            "claim": claim,
            "order": claim.order_material.order,
            "material": claim.order_material.material,
            "sheet": _sheet_of(claim),
            "charge": money(claim.charge, claim.currency),
            "settlement": _settlement(claim),
            "printed": day(today()),
        },
        request,
    )
    return HttpResponse(
        pdf.of(html),
        content_type="application/pdf",
        headers={"Content-Disposition": f'inline; filename="{claim.code}.pdf"'},
    )


def sheet(row: Any, unit: str, moved: dict[str, Any]) -> list[tuple[str, str]]:
    """The reconciliation, line by line, so that a pocket calculator comes to the same charge."""
    net, theory = row.net_issued, row.theoretical
    moves = [
        (_("Issued"), moved["issued"]),
        (_("Taken over from other orders"), moved["taken_over"]),
        (_("Returned"), moved["returned"]),
        (_("Passed to other orders"), moved["passed_on"]),
    ]
    scrap = []
    if moved["scrapped"]:
        credited = min(moved["scrapped"], max(row.excess, 0))
        words = _("%(credited)s %(unit)s at %(value)s") % {
            "credited": quantity(credited), "unit": unit, "value": money(moved["salvage_unit"], row.currency),
        }  # fmt: skip
        scrap = [
            (_("Scrap returned"), f"{quantity(moved['scrapped'])} {unit}"),
            (_("Scrap credited, at most as much as is beyond the allowance"), words),
        ]
    return [
        *((name, f"{quantity(value)} {unit}") for name, value in moves),
        (_("Net issued (issued and taken over, less returned and passed on)"), f"{quantity(net)} {unit}"),
        (_("Theoretical consumption of the credited units"), f"{quantity(theory)} {unit}"),
        (_("Loss (net issued less theoretical consumption)"), f"{quantity(row.loss)} {unit}"),
        (_("Loss rate on net issued"), percent(row.loss / net) if net else "–"),
        (_("Loss rate on theoretical consumption"), percent(row.loss / theory) if theory else "–"),
        (_("Allowed by the contract"), f"{quantity(row.allowed)} {unit}"),
        (_("Beyond the allowance"), f"{quantity(row.excess)} {unit}"),
        (_("Unit cost, frozen at issue"), money(row.unit_cost, row.currency)),
        *scrap,
        (_("Charge"), money(getattr(row, "charge", None), row.currency)),
    ]


def _sheet_of(claim: Claim) -> list[tuple[str, str]]:
    return sheet(claim, claim.order_material.material.unit, vars(claim))
