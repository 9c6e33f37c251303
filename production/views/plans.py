"""The plan of an order: made, confirmed, followed and moved. Where it stands is shown on the page of the order."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _

from production import plans
from production.errors import BadInput
from production.forms.orders import today
from production.forms.plans import (
    ConfirmPlanForm,
    DecideForm,
    ForecastForm,
    MoveForm,
    PlanForm,
    ReachedForm,
    TakeBackForm,
)
from production.judging import standings, with_facts
from production.models import Milestone, MilestoneForecast, OrderLine, Party, Rebaseline
from production.views.access import SeeOther, approvers_only, order_writers_only, partners_only
from production.views.order_changes import small_task, typed
from production.views.orders import order_of, url_of
from production.wording import day, short_day

DAYS_OF_A_MILESTONE = {"milestone_within_calendar": None}


def _rows(order):
    return list(order.milestones.order_by("position", "id"))


def _open_order(request, factory, number):
    """The order, with a message where it is closed: its plan is history then."""
    order = order_of(request, factory, number)
    if order.closed_on:
        messages.error(request, _("The order is closed, so its plan stays as it is."))
    return order


@order_writers_only
def plan_edit(request, factory, number):
    """Makes a plan from the template, its days counted back from the due day, or changes one that is not confirmed."""
    order = _open_order(request, factory, number)
    rows = _rows(order)
    if order.closed_on:
        return SeeOther(url_of(order))
    if any(row.frozen_at for row in rows):
        messages.info(request, _("The plan is confirmed: its days can only be moved."))
        return SeeOther(url_of(order))
    is_new = not rows
    if is_new:
        finish = _due(order)
        if finish is None:
            messages.error(request, _("A plan is counted back from the due day, and no line of this order has one."))
            return SeeOther(url_of(order))
        try:
            rows = _proposed(order, finish)
        except BadInput as error:
            messages.error(request, _("The template cannot be used: %(problem)s") % {"problem": error.message})
            return SeeOther(url_of(order))
    return small_task(
        request,
        order,
        PlanForm(typed(request), milestones=rows),
        title=_("Make a plan") if is_new else _("Change the plan"),
        button=_("Save plan"),
        told=_("The days are counted back from the due day. Change what you know better. Once the factory confirms the "
               "plan, its days are frozen and what follows is compared with them."),
        done=_("The plan is saved. It counts once it is confirmed."),
        save=lambda form: form.save(),
        models=[Milestone],
        fields=DAYS_OF_A_MILESTONE,
    )  # fmt: skip


def _due(order):
    """The due day of the line that is due last."""
    lines = standings(with_facts(OrderLine.objects.filter(order=order)))
    return max((where.due for _line, where in lines if where.due), default=None)


def _proposed(order, finish):
    template = plans.template_of(order)
    days = plans.planned_days(template, finish, order.ordered_on)
    return [
        Milestone(
            factory_id=order.factory_id, order=order, position=place, code=each.code, title=each.title,
            predecessors=each.predecessors, responsible=each.responsible, planned_on=days[each.code],
        )
        for place, each in enumerate(template, start=1)
    ]  # fmt: skip


@partners_only
def plan_confirm(request, factory, number):
    """The factory keeps these days: they are frozen as the baseline."""
    order = _open_order(request, factory, number)
    rows = _rows(order)
    if order.closed_on or not rows or all(row.frozen_at for row in rows):
        if not order.closed_on:
            messages.info(request, _("No plan waits to be confirmed."))
        return SeeOther(url_of(order))
    return small_task(
        request,
        order,
        ConfirmPlanForm(typed(request), order=order, user=request.user),
        title=_("Confirm the plan"),
        button=_("Confirm all days"),
        facts=[(row.title, day(row.planned_on)) for row in rows],
        told=_("From then on these are the days that each milestone is compared with. If one of them cannot be kept, "
               "state the day that is expected instead."),
        done=_("The plan is confirmed."),
        save=lambda form: form.save(),
        models=[Milestone],
    )  # fmt: skip


def _milestone(request, factory, number, code):
    order = _open_order(request, factory, number)
    return order, get_object_or_404(order.milestones.select_related("order"), code=code)


@partners_only
def milestone_forecast(request, factory, number, code):
    """Somebody says when a milestone is expected. A factory says so of what it answers for."""
    order, milestone = _milestone(request, factory, number, code)
    if not request.user.writes_orders() and milestone.responsible != Party.FACTORY:
        raise PermissionDenied
    if milestone.actual_on:
        messages.info(request, _("This milestone is reached already."))
    if order.closed_on or milestone.actual_on:
        return SeeOther(url_of(order))
    return small_task(
        request,
        order,
        ForecastForm(typed(request), milestone=milestone, user=request.user),
        title=_("%(title)s: expected day") % {"title": milestone.title},
        button=_("State the day"),
        facts=[(_("Planned"), day(milestone.planned_on))],
        done=lambda form: (
            _("%(title)s is expected on %(day)s.")
            % {"title": milestone.title, "day": short_day(form.cleaned_data["forecast_on"], today())}
        ),
        save=lambda form: form.save(),
        models=[MilestoneForecast],
        fields={"forecast_within_calendar": "forecast_on"},
    )


@order_writers_only
def milestone_reached(request, factory, number, code):
    order, milestone = _milestone(request, factory, number, code)
    if milestone.actual_on:
        messages.info(request, _("This milestone is reached already."))
    if order.closed_on or milestone.actual_on:
        return SeeOther(url_of(order))
    return small_task(
        request,
        order,
        ReachedForm(typed(request), milestone=milestone, user=request.user),
        title=_("%(title)s: reached") % {"title": milestone.title},
        button=_("Record it"),
        facts=[(_("Planned"), day(milestone.planned_on))],
        done=_("%(title)s is on record as reached.") % {"title": milestone.title},
        save=lambda form: form.save(),
        models=[Milestone],
        fields={"milestone_within_calendar": "actual_on", "a_reached_milestone_has_evidence": "evidence"},
    )


@order_writers_only
def milestone_take_back(request, factory, number, code):
    order, milestone = _milestone(request, factory, number, code)
    if order.closed_on or milestone.actual_on is None:
        if milestone.actual_on is None:
            messages.info(request, _("This milestone is not on record as reached."))
        return SeeOther(url_of(order))
    return small_task(
        request,
        order,
        TakeBackForm(typed(request), milestone=milestone),
        title=_("%(title)s: not reached after all") % {"title": milestone.title},
        button=_("Take it back"),
        facts=[(_("Reached on"), day(milestone.actual_on)), (_("What shows it"), milestone.evidence)],
        told=_("The milestone is open again. The history keeps what was recorded."),
        is_danger=True,
        done=_("%(title)s is open again.") % {"title": milestone.title},
        save=lambda form: form.save(),
        models=[Milestone],
    )


@order_writers_only
def plan_move(request, factory, number):
    """Asks to move planned days because of something that we changed."""
    order = _open_order(request, factory, number)
    rows = _rows(order)
    still = [row for row in rows if row.actual_on is None]
    if order.closed_on or not still or not any(row.frozen_at for row in rows):
        if not order.closed_on:
            messages.info(request, _("Only the days of a confirmed plan are moved, and only of what is not reached."))
        return SeeOther(url_of(order))
    if _waiting(order):
        messages.info(request, _("A move of this plan waits for approval already."))
        return SeeOther(url_of(order))
    return small_task(
        request,
        order,
        MoveForm(typed(request), milestones=still, everything=rows, user=request.user),
        title=_("Move the plan"),
        button=_("Ask for approval"),
        told=_("Planned days move only because of something that we changed, and only once a manager approves it. What the "
               "factory cannot keep is an expected day, not a move. The old days are kept."),
        done=_("The move waits for approval."),
        save=lambda form: form.save(),
        models=[Rebaseline],
    )  # fmt: skip


def _waiting(order):
    moves = Rebaseline.objects.filter(milestone__order=order, approved_at=None).select_related("milestone", "asked_by")
    return list(moves.order_by("milestone__position"))


@approvers_only
def plan_move_decide(request, factory, number):
    order = order_of(request, factory, number)
    waiting = _waiting(order)
    if not waiting:
        if not order.milestones.exists():
            raise Http404
        messages.info(request, _("No move of this plan waits for approval."))
        return SeeOther(url_of(order))
    moved = [
        (each.milestone.title, _("%(was)s → %(new)s") % {"was": day(each.was_on), "new": day(each.new_on)})
        for each in waiting
    ]
    return small_task(
        request,
        order,
        DecideForm(typed(request), order=order, user=request.user),
        title=_("Decide about the move of the plan"),
        button=_("Save answer"),
        facts=[*moved, (_("What we changed"), waiting[0].reason), (_("Asked by"), waiting[0].asked_by or "–")],
        told=_("You asked for this move, so somebody else approves it. You may decline it.")
        if any(each.asked_by_id == request.user.pk for each in waiting)
        else _("Approved, the new days are what each milestone is compared with. The old days are kept."),
        done=lambda form: (
            _("The plan is moved.") if form.cleaned_data["answer"] == DecideForm.APPROVE else _("The move is declined.")
        ),
        save=lambda form: form.save(),
        models=[Rebaseline, Milestone],
    )
