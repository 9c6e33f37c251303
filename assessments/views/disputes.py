"""What factories dispute: the list, one dispute, raising and answering it."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from assessments import disputes as rules
from assessments.dispute_forms import DECLINED, SET_ASIDE, UPHELD, AnswerForm, DisputeForm
from assessments.figures import day, percent, quantity
from assessments.filters import link
from assessments.views import lists
from assessments.views.csvs import csv_answer
from assessments.views.entrance import BUSINESS, STAFF, open_to, who
from factories.models import Factory
from production import codes, unknown
from production.errors import BadInput
from production.models import (
    Delivery,
    Dispute,
    LineOutcome,
    Lot,
    LotOutcome,
    MaterialOutcome,
    OrderLine,
    OrderMaterial,
)

PAGE = 50
STATUS = {"open": "watch", "upheld": "ok", "declined": "breach", "withdrawn": "no_data"}
STATES = {
    "open": (gettext_lazy("Open"), Q(state="open")),
    "waiting": (gettext_lazy("To be answered"), Q(state="open", exclusion__isnull=True)),
    "answered": (gettext_lazy("Answered"), Q(state__in=["upheld", "declined"])),
    "all": (gettext_lazy("All"), Q()),
}
KINDS = {
    "line": gettext_lazy("Order line"), "lot": gettext_lazy("Lot"), "delivery": gettext_lazy("Delivery"),
    "material": gettext_lazy("Material"),
}  # fmt: skip


@require_safe
@open_to(BUSINESS)
def dispute_list(request: HttpRequest) -> HttpResponse:
    """What do factories dispute, and what was answered?"""
    visible = Dispute.objects.visible_to(request.user)
    factories = Factory.objects.visible_to(request.user).filter(disputes__isnull=False).distinct().order_by("code")
    code = request.GET.get("factory", "").replace("\0", "").strip()
    if code:
        visible = visible.filter(factory__code__iexact=code)
    state = unknown.chosen(request, {name: word for name, (word, _q) in STATES.items()}, "open")
    counts = lists.counts(visible, STATES)
    found = visible.filter(STATES[state][1]).with_subject().order_by("-pk")
    if request.GET.get("format") == "csv":
        return csv_answer(f"disputes-{state}", HEAD, (cells(each, request.user) for each in found.iterator()))
    paginator = Paginator(found, PAGE)
    paginator.count = counts[state]
    page = paginator.get_page(request.GET.get("page"))
    context = {
        "rows": [row(each, request.user) for each in page],
        "factories": [{"code": each.code, "name": each.name, "chosen": each.code == code.upper()} for each in factories],
        "code": code,
        "state": state,
        "tabs": lists.tabs(request.GET, ((name, word) for name, (word, _q) in STATES.items()), state, counts),
        "csv_url": link(request.GET, format="csv", page=None),
        **lists.pager(request.GET, page),
    }  # fmt: skip
    return render(request, "assessments/dispute_list.html", context)


HEAD = ["dispute", "state", "factory", "name", "kind", "row", "order", "reason", "raised_at", "raised_by", "answer", "answered_at",
        "answered_by"]  # fmt: skip


def cells(dispute: Dispute, reader: User) -> list[Any]:
    answered = dispute.answered_at is not None
    return [
        dispute.code, dispute.state, dispute.factory.code, dispute.factory.name, dispute.kind, title(dispute),
        dispute.order.number, dispute.reason, dispute.raised_at.isoformat(timespec="seconds"), who(dispute.raised_by, reader),
        dispute.answer if answered else "", dispute.answered_at.isoformat(timespec="seconds") if answered else "",
        who(dispute.answered_by, reader) if answered else "",
    ]  # fmt: skip


def row(dispute: Dispute, reader: User) -> dict[str, Any]:
    return {
        "dispute": dispute,
        "status": STATUS[dispute.state],
        "word": word(dispute),
        "kind": KINDS[dispute.kind],
        "title": title(dispute),
        "raised": day(dispute.raised_at.date()),
        "raised_by": who(dispute.raised_by, reader),
    }


def word(dispute: Dispute) -> str:
    """The state in words; an open one whose row is to be set aside waits for a second person."""
    if dispute.is_open and dispute.exclusion_id:
        return _("Being decided")
    return dispute.get_state_display()


def title(dispute: Dispute) -> str:
    """What the disputed row is called."""
    if dispute.order_material_id:
        return f"{dispute.order.number} · {dispute.order_material.material.name}"
    return dispute.subject.code


def of_row(dispute: Dispute) -> str:
    """Where the disputed row is shown."""
    if dispute.delivery_id:
        return dispute.delivery.get_absolute_url()
    order = dispute.order
    order.factory = dispute.factory
    return order.get_absolute_url()


@open_to("contact")
def dispute_new(request: HttpRequest) -> HttpResponse:
    """Say that a row of your own is not right."""
    subject = named(request)
    if subject is None:
        return render(request, "assessments/dispute_new.html", {"form": None})
    name = rules.FIELDS[type(subject)]
    standing = Dispute.objects.visible_to(request.user).open().filter(**{name: subject}).first()
    if standing:
        messages.info(request, _("%(code)s is open for this row already.") % {"code": standing.code})
        return HttpResponseRedirect(standing.get_absolute_url())
    form = DisputeForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            made = rules.raise_dispute(subject, request.user, form.cleaned_data["reason"])
        except BadInput as problem:
            form.add_error(problem.field if problem.field in form.fields else None, problem.message)
        else:
            messages.success(request, _("%(code)s is raised. You are told when it is answered.") % {"code": made.code})
            return HttpResponseRedirect(made.get_absolute_url())
    shown = Dispute(factory=subject.factory, **{name: subject})
    context = {
        "form": form,
        "kind": KINDS[shown.kind],
        "title": title(shown),
        "facts": facts(shown),
        "row_url": of_row(shown),
    }
    return render(request, "assessments/dispute_new.html", context, status=422 if form.errors else 200)


def named(request: HttpRequest) -> Any:
    """The row that the address names; None where it names none, 404 where it is unknown or of another factory."""
    lines = OrderLine.objects.visible_to(request.user).select_related("factory", "order", "product")
    lots = Lot.objects.visible_to(request.user).select_related("factory", "line__order", "line__product")
    receipts = Delivery.objects.visible_to(request.user).select_related(
        "factory", "line__order", "line__product", "site"
    )
    supplied = OrderMaterial.objects.visible_to(request.user).select_related("factory", "order", "material")
    given = {
        name: codes.tidy(request.GET[name]) for name in ("line", "lot", "delivery", "material") if request.GET.get(name)
    }
    if "line" in given:
        return found(codes.exact_line(lines, given["line"]))
    if "lot" in given:
        factory, _slash, code = given["lot"].partition("/")
        return found(lots.filter(factory__code=factory, code=code))
    if "delivery" in given:
        return found(receipts.filter(pk=number(given["delivery"].removeprefix("D-"))))
    if "material" in given:
        return found(supplied.filter(pk=number(given["material"]), order__closed_on__isnull=False))
    return None


def found(rows: QuerySet) -> Any:
    row = rows.first()
    if row is None:
        raise Http404("No such row.")
    return row


def number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def facts(dispute: Dispute) -> list[tuple[str, str]]:
    """What the row counts as today."""
    if dispute.order_material_id:
        return material_facts(dispute)
    line = dispute.line or (dispute.lot or dispute.delivery).line
    told = [(_("Order line"), f"{line.order.number}/{line.number}"), (_("Product"), line.product.name)]
    if dispute.lot_id:
        lot = LotOutcome.objects.filter(lot=dispute.lot_id).first()
        if lot is None:
            return [*told, (_("Counts as"), _("not counted"))]
        bad = _("%(bad)s of %(all)s units") % {"bad": lot.defective, "all": quantity(lot.inspected)}
        return [*told, (_("Inspected on"), day(lot.inspected_on)), (_("Defective"), bad)]
    if dispute.delivery_id:
        told += [
            (_("Quantity"), quantity(dispute.delivery.quantity)),
            (_("Received"), day(dispute.delivery.received_on)),
        ]
    outcome = LineOutcome.objects.filter(line=line.pk).first()
    if outcome is None:
        return told
    counts = {True: _("on time and in full"), False: _("not on time and in full")}[outcome.is_otif]
    return [
        *told,
        (_("Due"), day(outcome.due_on)),
        (_("Last on-time day"), day(outcome.limit_on)),
        (_("Complete"), day(outcome.completed_on)),
        (_("Counts as"), counts if outcome.state == LineOutcome.State.COUNTED else outcome.get_state_display()),
    ]


def material_facts(dispute: Dispute) -> list[tuple[str, str]]:
    told = [(_("Order"), dispute.order.number), (_("Closed"), day(dispute.order.closed_on))]
    outcome = MaterialOutcome.objects.filter(order_material=dispute.order_material_id).first()
    if outcome is None:
        return told
    unit = dispute.order_material.material.unit
    rate = percent(outcome.loss / outcome.net_issued) if outcome.net_issued else "–"
    amounts = [(_("Used"), outcome.net_issued), (_("Needed"), outcome.theoretical), (_("Lost"), outcome.loss)]
    return [*told, *((name, f"{quantity(round(value, 3))} {unit}") for name, value in amounts), (_("Loss rate"), rate)]


@require_safe
@open_to(BUSINESS)
def dispute_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One dispute: what is said to be wrong, what was answered, what may be done."""
    return _show(request, _dispute(request, pk))


def _dispute(request: HttpRequest, pk: int) -> Dispute:
    return get_object_or_404(Dispute.objects.visible_to(request.user).with_subject(), pk=pk)


def _show(request: HttpRequest, dispute: Dispute, form: Any = None) -> HttpResponse:
    reader = request.user
    is_contact = reader.role == User.Role.CONTACT
    answered = dispute.answered_at is not None
    context = {
        **row(dispute, reader),
        "row_url": of_row(dispute),
        "facts": facts(dispute),
        "answer": dispute.answer if answered or (dispute.answer and not is_contact) else "",
        "is_draft": not answered,
        "answered_by": who(dispute.answered_by, reader) if dispute.answered_by_id else "",
        "exclusion": dispute.exclusion if not is_contact else None,
        "is_set_aside": answered and dispute.exclusion_id,
        "form": form or (AnswerForm() if rules.may_answer(dispute, reader) else None),
        "may_withdraw": rules.may_withdraw(dispute, reader),
        "is_contact": is_contact,
    }
    return render(request, "assessments/dispute_detail.html", context, status=422 if form is not None else 200)


@require_POST
@open_to("contact")
def dispute_withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a dispute back."""
    dispute = _dispute(request, pk)
    try:
        rules.withdraw(dispute, request.user)
    except BadInput as problem:
        messages.info(request, problem.message)
    else:
        messages.success(request, _("%(code)s is withdrawn.") % {"code": dispute.code})
    return HttpResponseRedirect(dispute.get_absolute_url())


@require_POST
@open_to(STAFF)
def dispute_answer(request: HttpRequest, pk: int) -> HttpResponse:
    """Uphold it, decline it, or propose to set the row aside."""
    dispute = _dispute(request, pk)
    if not rules.may_answer(dispute, request.user):
        messages.info(request, _("Somebody answered first; this is how it stands now."))
        return HttpResponseRedirect(dispute.get_absolute_url())
    form = AnswerForm(request.POST)
    if not form.is_valid():
        return _show(request, dispute, form)
    how, text = form.cleaned_data["how"], form.cleaned_data["answer"]
    try:
        if how == SET_ASIDE:
            made = rules.set_aside(dispute, request.user, text)
            messages.success(request, _("%(code)s waits for a second person.") % {"code": made.code})
        else:
            rules.answer(dispute, request.user, {UPHELD: True, DECLINED: False}[how], text)
            messages.success(request, _("Answered. The factory is told by e-mail."))
    except BadInput as problem:
        form.add_error(problem.field if problem.field in form.fields else None, problem.message)
        return _show(request, dispute, form)
    return HttpResponseRedirect(dispute.get_absolute_url())


def waiting(reader: User) -> dict[str, Any]:
    """For the start page: how many disputes wait for an answer; for a contact the last ones with their state."""
    visible = Dispute.objects.visible_to(reader)
    if reader.role == User.Role.CONTACT:
        return {"rows": [row(each, reader) for each in visible.with_subject().order_by("-pk")[:3]], "count": 0}
    return {"rows": [], "count": visible.waiting().count()}
