"""What does not count and why: the list for ever, one exclusion with its effect, proposing and deciding."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from assessments import evidence, wording
from assessments.exclusion_forms import NoteForm, ProposeForm
from assessments.figures import day, money, percent
from assessments.filters import link
from assessments.models import Evaluation
from assessments.views import lists
from assessments.views.csvs import csv_answer
from assessments.views.entrance import BUSINESS, STAFF, open_to, sees_money, today, who
from production import exclusions as rules
from production import unknown
from production.errors import BadInput
from production.models import Exclusion, Lot, OrderLine, OrderMaterial

PAGE = 50
STATUS = {"proposed": "watch", "approved": "info", "declined": "breach", "withdrawn": "no_data", "lifted": "ok"}
KINDS = {"line": gettext_lazy("Order line"), "lot": gettext_lazy("Lot"), "material": gettext_lazy("Material")}
MOVES = {  # what may be done: its word, what is typed with it, whether it has to be
    "approve": (gettext_lazy("Set it aside"), gettext_lazy("What convinced you (optional)"), False),
    "decline": (gettext_lazy("Decline"), gettext_lazy("Why it goes on to count"), True),
    "withdraw": (gettext_lazy("Withdraw"), "", False),
    "lift": (gettext_lazy("Count it again"), gettext_lazy("Why it counts again"), True),
}
HEAD = [
    "exclusion", "state", "factory", "kind", "row", "reason", "evidence", "proposed_on", "proposed_by", "decided_on", "decided_by",
    "decision_note", "lifted_on", "lifted_by", "lift_reason",
]  # fmt: skip


@require_safe
@open_to(BUSINESS)
def exclusion_list(request: HttpRequest) -> HttpResponse:
    """What was set aside, what waits, and what was ever asked for?"""
    visible = Exclusion.objects.visible_to(request.user)
    code = request.GET.get("factory", "").replace("\0", "").strip()
    if code:
        visible = visible.filter(factory__code__iexact=code)
    states = [("all", _("All")), *Exclusion.State.choices]
    state = unknown.chosen(request, dict(states), "all")
    counts = visible.order_by().aggregate(
        all=Count("pk"), **{name: Count("pk", filter=Q(state=name)) for name in Exclusion.State.values}
    )
    found = (visible if state == "all" else visible.filter(state=state)).with_subject().order_by("-pk")
    if request.GET.get("format") == "csv":
        return csv_answer(f"exclusions-{state}", HEAD, (cells(each, request.user) for each in found))
    paginator = Paginator(found, PAGE)
    paginator.count = counts[state]
    page = paginator.get_page(request.GET.get("page"))
    context = {
        "rows": [row(each, request.user) for each in page],
        "code": code,
        "tabs": lists.tabs(request.GET, states, state, counts),
        "csv_url": link(request.GET, format="csv", page=None),
        "all_url": link(request.GET, state="all", page=None),
        "every_url": link(request.GET, factory=None, page=None),
        **lists.pager(request.GET, page),
    }  # fmt: skip
    return render(request, "assessments/exclusion_list.html", context)


def row(exclusion: Exclusion, reader: User) -> dict[str, Any]:
    return {
        "exclusion": exclusion,
        "status": STATUS[exclusion.state],
        "kind": KINDS[exclusion.kind],
        "title": exclusion.title,
        "proposed": f"{who(exclusion.proposed_by, reader)}, {day(exclusion.proposed_at.date())}",
        "decided": f"{who(exclusion.decided_by, reader)}, {day(exclusion.decided_on)}" if exclusion.decided_by else "–",
    }


def cells(each: Exclusion, reader: User) -> list[Any]:
    """One exclusion as a row of the file."""

    def name(person: User | None) -> str:
        return who(person, reader) if person else ""

    return [
        each.code, each.state, each.factory.code, each.kind, each.title, each.reason, each.evidence, each.proposed_at.date(),
        name(each.proposed_by), each.decided_on, name(each.decided_by), each.decision_note, each.lifted_on, name(each.lifted_by),
        each.lift_reason,
    ]  # fmt: skip


@open_to(STAFF)
def exclusion_new(request: HttpRequest) -> HttpResponse:
    """Propose that a row does not count."""
    subject = named(request)
    if subject is None:
        return render(request, "assessments/exclusion_new.html", {"form": None})
    shown = Exclusion(factory=subject.factory, **{rules.FIELDS[type(subject)]: subject})
    standing = Exclusion.objects.visible_to(request.user).standing().filter(
        line=shown.line_id, lot=shown.lot_id, order_material=shown.order_material_id
    )  # fmt: skip
    if earlier := standing.first():
        messages.info(request, _("%(code)s is about this row already.") % {"code": earlier.code})
        return HttpResponseRedirect(earlier.get_absolute_url())
    form = ProposeForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            made = rules.propose(subject, request.user, **form.cleaned_data)
        except BadInput as problem:
            form.add_error(problem.field if problem.field in form.fields else None, problem.message)
        else:
            messages.success(
                request, _("%(code)s waits for a second person. Until then the row counts.") % {"code": made.code}
            )
            return HttpResponseRedirect(made.get_absolute_url())
    context = {
        "form": form, "kind": KINDS[shown.kind], "title": shown.title, "exclusion": shown, "order_url": order_url(shown),
        "effect": effect(shown, request.user),
    }  # fmt: skip
    return render(request, "assessments/exclusion_new.html", context, status=422 if form.errors else 200)


def named(request: HttpRequest) -> OrderLine | Lot | OrderMaterial | None:
    """The row that the address names; None where it names none, 404 where it is unknown or not for this person."""
    for name, rows in (
        ("line", OrderLine.objects.select_related("factory", "order")),
        ("lot", Lot.objects.select_related("factory", "line__order")),
        ("material", OrderMaterial.objects.select_related("factory", "order", "material")),
    ):
        if text := request.GET.get(name, ""):
            if not (text.isascii() and text.isdigit() and len(text) < 19):
                raise Http404("No such row.")
            return get_object_or_404(rows.visible_to(request.user), pk=int(text))
    return None


@require_safe
@open_to(BUSINESS)
def exclusion_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One exclusion: why, by whom, what it does to the numbers, and what may be done."""
    return _show(request, _exclusion(request, pk))


def _exclusion(request: HttpRequest, pk: int) -> Exclusion:
    return get_object_or_404(Exclusion.objects.visible_to(request.user).with_subject(), pk=pk)


def _form(name: str, data: Any = None) -> NoteForm:
    _word, label, needed = MOVES[name]
    return NoteForm(data, prefix=name, label=label, needed=needed)


def _show(request: HttpRequest, exclusion: Exclusion, form: Any = None, moved: str = "") -> HttpResponse:
    reader = request.user
    may = {
        "approve": rules.may_decide(exclusion, reader),
        "decline": rules.may_decide(exclusion, reader),
        "withdraw": rules.may_withdraw(exclusion, reader),
        "lift": rules.may_lift(exclusion, reader),
    }
    stands = exclusion.state in (Exclusion.State.PROPOSED, Exclusion.State.APPROVED)
    context = {
        **row(exclusion, reader),
        "order_url": order_url(exclusion),
        "moves": [
            {"name": name, "word": word, "form": form if name == moved else _form(name), "has_note": bool(label)}
            for name, (word, label, _needed) in MOVES.items()
            if may[name]
        ],
        "is_own": rules.may_withdraw(exclusion, reader),
        "steps": steps(exclusion, reader),
        "effect": effect(exclusion, reader) if stands else None,
        "stands": stands,
        "form": form,
    }
    return render(request, "assessments/exclusion_detail.html", context, status=422 if form is not None else 200)


def steps(exclusion: Exclusion, reader: User) -> list[dict[str, Any]]:
    """What happened, in order; a contact reads no names of ours."""
    told = [
        (_("Proposed"), exclusion.proposed_by, exclusion.proposed_at, ""),
        (_("Withdrawn"), exclusion.proposed_by, exclusion.withdrawn_at, ""),
        (
            _("Declined") if exclusion.state == Exclusion.State.DECLINED else _("Set aside"),
            exclusion.decided_by, exclusion.decided_at, exclusion.decision_note,
        ),
        (_("Counted again"), exclusion.lifted_by, exclusion.lifted_at, exclusion.lift_reason),
    ]  # fmt: skip
    return [{"what": what, "by": who(by, reader), "at": at, "note": note} for what, by, at, note in told if at]


def order_url(exclusion: Exclusion) -> str:
    order = exclusion.order
    order.factory = exclusion.factory
    return order.get_absolute_url()


def effect(exclusion: Exclusion, reader: User) -> dict[str, Any] | None:
    """The rate of the row's measure in the days that are judged now, with the row and without it."""
    judged = Evaluation.objects.filter(factory=exclusion.factory_id, kind__in=["live", "night"]).whole()
    evaluation = judged.order_by("-as_of", "-computed_at", "-pk").first()
    if evaluation is None:
        return None
    measure = evidence.MEASURES[exclusion.kind]
    told = {
        "label": wording.label(measure),
        "days": " – ".join(day(end) for end in evidence.window(evaluation, measure)),
        "rows": [],
    }
    if found := evidence.effect(evaluation, exclusion):
        pairs = [(_("With this row"), found.counted), (_("Without it"), found.set_aside)]
        told["rows"] = [
            {
                "word": word,
                "rate": percent(num / den) if den else _("no data"),
                "fraction": fraction(found, num, den, sees_money(reader)),
            }
            for word, (num, den) in pairs
        ]
    return told


def fraction(found: evidence.Effect, num: Any, den: Any, with_money: bool) -> str:
    if found.measure != "loss":
        return wording.fraction(found.measure, {"num": num, "den": den})
    if not with_money:
        return ""
    return _("%(lost)s of %(used)s") % {"lost": money(num, found.currency), "used": money(den, found.currency)}


@require_POST
@open_to(STAFF)
def exclusion_move(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    """Approve, decline, withdraw or lift."""
    exclusion = _exclusion(request, pk)
    if name != "withdraw" and not request.user.decides_exclusions():
        return render(request, "403.html", status=403)
    form = _form(name, request.POST)
    if form.is_valid():
        note = form.cleaned_data["note"]
        try:
            if name == "approve":
                rules.approve(exclusion, request.user, today(), note)
            elif name == "decline":
                rules.decline(exclusion, request.user, today(), note)
            elif name == "withdraw":
                rules.withdraw(exclusion, request.user)
            else:
                rules.lift(exclusion, request.user, today(), note)
        except BadInput as problem:
            form.add_error(None, problem.message)
        else:
            messages.success(request, _("Saved. The numbers follow within a minute."))
            return HttpResponseRedirect(exclusion.get_absolute_url())
    return _show(request, _exclusion(request, pk), form, name)


def waiting(reader: User) -> int:
    """For the start page: how many proposals of others this person may decide."""
    return Exclusion.objects.waiting_for(reader).count()
