"""What factories were asked to do better, and is it done?"""

import datetime
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from assessments import actions as asked
from assessments.action_forms import AskForm, StepForm
from assessments.figures import day
from assessments.filters import link
from assessments.models import Action, Breach
from assessments.views import lists
from assessments.views.csvs import csv_answer
from assessments.views.entrance import STAFF, factory_or_404, open_to, today, who
from production import unknown
from production.errors import BadInput

PAGE = 50
DAYS = 14  # a correction is due after so many days unless another day is typed
READERS = f"{STAFF} contact"
STATUS = {"asked": "watch", "answered": "info", "done": "ok", "dropped": "no_data"}
WORDS = {
    "answer": gettext_lazy("Answer"),
    "confirm": gettext_lazy("It is done"),
    "return": gettext_lazy("Send back"),
    "drop": gettext_lazy("Drop"),
}
NOTES = {
    "answer": gettext_lazy("What was done, and what proves it"),
    "confirm": gettext_lazy("How it was checked"),
    "return": gettext_lazy("What is missing"),
    "drop": gettext_lazy("Why it is no longer needed"),
}
STEPS = {
    "asked": gettext_lazy("Asked"),
    "answer": gettext_lazy("Answered"),
    "confirm": gettext_lazy("Done"),
    "return": gettext_lazy("Sent back"),
    "drop": gettext_lazy("Dropped"),
}
STATES = {
    "live": (gettext_lazy("Open"), Q(state__in=["asked", "answered"])),
    "answered": (gettext_lazy("To be checked"), Q(state="answered")),
    "done": (gettext_lazy("Done"), Q(state="done")),
    "all": (gettext_lazy("All"), Q()),
}


@require_safe
@open_to(READERS)
def action_list(request: HttpRequest) -> HttpResponse:
    """What did we ask, and is it done?"""
    visible = Action.objects.visible_to(request.user)
    code = request.GET.get("factory", "").replace("\0", "").strip()
    if code:
        visible = visible.filter(factory__code__iexact=code)
    state = unknown.chosen(request, {name: word for name, (word, _q) in STATES.items()}, "live")
    counts = lists.counts(visible, STATES)
    found = visible.filter(STATES[state][1]).select_related("factory")
    found = found.order_by("due_on", "pk") if state == "live" else found.order_by("-due_on", "-pk")
    if request.GET.get("format") == "csv":
        head = [_("Action"), _("State"), _("Factory"), _("What"), _("Due on"), _("What is expected")]
        rows = ((a.code, a.get_state_display(), a.factory.code, a.title, a.due_on, a.ask) for a in found.iterator())
        return csv_answer(f"actions-{state}", head, rows)
    paginator = Paginator(found, PAGE)
    paginator.count = counts[state]
    page = paginator.get_page(request.GET.get("page"))
    context = {
        "rows": [row(action) for action in page],
        "state": state,
        "code": code,
        "tabs": lists.tabs(request.GET, ((name, word) for name, (word, _q) in STATES.items()), state, counts),
        "csv_url": link(request.GET, format="csv", page=None),
        **lists.pager(request.GET, page),
    }  # fmt: skip
    return render(request, "assessments/action_list.html", context)


def row(action: Action) -> dict[str, Any]:
    """One action with its state and, while it is asked, how long it is overdue."""
    late = (today() - action.due_on).days if action.state == Action.State.ASKED else 0
    return {"action": action, "status": STATUS[action.state], "due": day(action.due_on), "late": max(late, 0)}


@open_to(STAFF)
def action_new(request: HttpRequest, code: str) -> HttpResponse:
    """Ask a factory for a correction, of its own accord or because of a breach."""
    factory = factory_or_404(request.user, code)
    breach = None
    if number := request.GET.get("breach", ""):
        of_factory = Breach.objects.visible_to(request.user).filter(factory=factory)
        breach = get_object_or_404(of_factory, pk=int(number) if number.isdecimal() and len(number) < 10 else 0)
    form = AskForm(
        request.POST if request.method == "POST" else None,
        initial={"due_on": today() + datetime.timedelta(days=DAYS)},
    )
    if request.method == "POST" and form.is_valid():
        try:
            action = asked.ask(factory, request.user, breach=breach, **form.cleaned_data)
        except BadInput as problem:
            form.add_error(problem.field if problem.field in form.fields else None, problem.message)
        else:
            messages.success(request, _("Asked. The contacts of the factory are told by e-mail."))
            return HttpResponseRedirect(action.get_absolute_url())
    context = {"factory": factory, "form": form, "breach": breach}
    return render(request, "assessments/action_new.html", context, status=422 if form.errors else 200)


@require_safe
@open_to(READERS)
def action_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One action: what is expected until when, what happened, what may be done."""
    return _show(request, _action(request, pk))


def _action(request: HttpRequest, pk: int) -> Action:
    found = Action.objects.visible_to(request.user).select_related("factory", "breach", "asked_by")
    return get_object_or_404(found, pk=pk)


def _form(name: str, data: Any = None) -> StepForm:
    return StepForm(data, prefix=name, label=NOTES[name], needed=asked.MOVES[name].needs_note)


def _show(request: HttpRequest, action: Action, form: Any = None, moved: str = "") -> HttpResponse:
    context = {
        **row(action),
        "shows_breach": action.breach and request.user.sees_breaches(),
        "moves": [
            {
                "name": move.name, "word": WORDS[move.name], "needs_note": move.needs_note,
                "form": form if move.name == moved else _form(move.name),
            }
            for move in asked.moves_for(action, request.user)
        ],
        "steps": [
            {
                "what": STEPS[step.what], "by": who(step.by, request.user) if step.by else _("the grade"), "at": step.at,
                "note": step.note,
            }
            for step in action.steps.select_related("by")
        ],
        "form": form,
    }  # fmt: skip
    return render(request, "assessments/action_detail.html", context, status=422 if form is not None else 200)


@require_POST
@open_to(READERS)
def action_move(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    """Answer, confirm, send back or drop."""
    action = _action(request, pk)
    if request.user.role not in asked.MOVES[name].roles:
        return render(request, "403.html", status=403)
    form = _form(name, request.POST)
    if form.is_valid():
        try:
            done = asked.move(action, name, request.user, form.cleaned_data["note"])
        except BadInput as problem:
            form.add_error("note", problem.message)
        else:
            if not done:
                messages.info(request, _("Somebody moved this first; this is how it stands now."))
            return HttpResponseRedirect(action.get_absolute_url())
    return _show(request, action, form, name)
