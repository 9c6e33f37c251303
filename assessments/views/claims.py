"""One claim for lost material: made of a reconciliation, moved from draft to settlement, printed."""

from typing import Any

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.template.defaultfilters import filesizeformat
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from assessments import claim_evidence as proofs
from assessments import claims as ledger
from assessments import pdf
from assessments.claim_forms import AddEvidenceForm, EvidenceForm, MoveForm, SettleForm
from assessments.figures import day, money, percent, quantity, unit_money
from assessments.models import Claim, ClaimEvidence
from assessments.views.claim_lists import READERS, STATUS
from assessments.views.entrance import STAFF, open_to, today, who
from assessments.workflow import Move
from production.errors import BadInput
from production.models import MaterialOutcome

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
    "evidence": gettext_lazy("Evidence added"),
}


@open_to(STAFF)
def claim_new(request: HttpRequest, pk: int) -> HttpResponse:
    """Make a claim of one reconciliation: it is shown once more, with room for evidence."""
    outcome = get_object_or_404(
        MaterialOutcome.objects.visible_to(request.user).select_related(
            "factory", "order", "order_material__material", "order_material__order"
        ),
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
        "sheet": sheet(outcome, outcome.order_material.material.unit, ledger.movements(ledger.supply(outcome))),
        "charge": money(outcome.charge, outcome.currency),
    }
    return render(request, "assessments/claim_new.html", context, status=422 if form.errors else 200)


@require_safe
@open_to(READERS)
def claim_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One claim: what it rests on, where it stands, what may be done."""
    return show(request, claim_of(request, pk))


def claim_of(request: HttpRequest, pk: int) -> Claim:
    found = Claim.objects.visible_to(request.user)
    return get_object_or_404(
        found.select_related("factory", "order_material__material", "order_material__order"), pk=pk
    )


def show(
    request: HttpRequest, claim: Claim, form: Any = None, asked: str = "", evidence_form: AddEvidenceForm | None = None
) -> HttpResponse:
    """The page of a claim; with a form that was wrong it is answered with 422."""
    moves = []
    for move in ledger.moves_for(claim, request.user):
        mine = form if move.name == asked else None
        moves.append({"name": move.name, "word": WORDS[move.name], "form": mine or _form_of(move, claim, request.user)})
    steps = [
        {"what": STEPS.get(step.what, step.what), "by": who(step.by, request.user), "at": step.at, "note": step.note}
        for step in claim.steps.select_related("by")
    ]
    wrong = form or evidence_form
    if evidence_form is None and proofs.may_add(claim, request.user):
        evidence_form = AddEvidenceForm(auto_id="evidence_%s")
    context = {
        "claim": claim,
        "status": STATUS[claim.state],
        "order": claim.order_material.order,
        "sheet": _sheet_of(claim),
        "charge": money(claim.charge, claim.currency),
        "settlement": _settlement(claim),
        "proofs": proofs_of(claim, request.user),
        "may_remove": proofs.may_remove(claim, request.user),
        "evidence_form": evidence_form,
        "moves": moves,
        "steps": steps,
        "form": wrong,
    }
    return render(request, "assessments/claim_detail.html", context, status=422 if wrong is not None else 200)


def proofs_of(claim: Claim, reader: Any) -> list[dict[str, Any]]:
    """The files and notes of a claim as its page and its sheet show them; those removed from a draft only while it is one."""
    found = ClaimEvidence.objects.visible_to(reader).filter(claim=claim).select_related("added_by", "removed_by")
    if claim.state != Claim.State.DRAFT:
        found = found.present()
    return [
        {
            "row": row,
            "size": filesizeformat(row.size) if row.is_file else "",
            "by": who(row.added_by, reader),
            "removed_by": who(row.removed_by, reader) if row.removed_by else "",
        }
        for row in found
    ]


def _form_of(move: Move, claim: Claim, user: Any, data: Any = None, files: Any = None) -> Any:
    """What a person fills in for a move: a settlement, a reason, for whom somebody accepted, or only a note."""
    of_this_move = {"data": data, "files": files, "auto_id": f"{move.name}_%s"}
    if move.name == "settle":
        return SettleForm(**of_this_move, initial={"settled_on": today(), "settlement_currency": claim.currency})
    return MoveForm(
        **of_this_move,
        needs_reason=move.needs_note,
        says_who=move.must_say(user.role),
        takes_files=move.name == "dispute",
    )


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
    claim = claim_of(request, pk)
    wanted = ledger.MOVES[name]
    if request.user.role not in wanted.roles:
        return render(request, "403.html", status=403)
    form = _form_of(wanted, claim, request.user, request.POST, request.FILES)
    if form.is_valid():
        facts = dict(form.cleaned_data)
        files = facts.pop("files", [])
        try:
            with transaction.atomic():
                done = ledger.move(claim, name, request.user, **facts)
                if done and files:
                    proofs.add(claim, request.user, files, told=False)
        except BadInput as problem:
            form.add_error(problem.field if problem.field in form.fields else None, problem.message)
        else:
            if not done:
                messages.info(request, _("Somebody moved this claim first; this is how it stands now."))
            return HttpResponseRedirect(claim.get_absolute_url())
    return show(request, claim, form, name)


@require_safe
@open_to(READERS)
def claim_sheet(request: HttpRequest, pk: int) -> HttpResponse:
    """The reconciliation sheet of a claim as PDF, for the factory's file."""
    claim = claim_of(request, pk)
    html = render_to_string(
        "assessments/claim_sheet.html",
        {
            "claim": claim,
            "order": claim.order_material.order,
            "material": claim.order_material.material,
            "sheet": _sheet_of(claim),
            "charge": money(claim.charge, claim.currency),
            "settlement": _settlement(claim),
            "proofs": [proof for proof in proofs_of(claim, request.user) if not proof["row"].removed_at],
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
            "credited": quantity(credited), "unit": unit, "value": unit_money(moved["salvage_unit"], row.currency),
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
        (_("Unit cost, frozen at issue"), unit_money(row.unit_cost, row.currency)),
        *scrap,
        (_("Charge"), money(getattr(row, "charge", None), row.currency)),
    ]


def _sheet_of(claim: Claim) -> list[tuple[str, str]]:
    return sheet(claim, claim.order_material.material.unit, vars(claim))
