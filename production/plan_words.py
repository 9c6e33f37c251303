"""The plan of an order in words: its milestones, its next one, what slips, and the chance of being late."""

from datetime import date

from django.urls import reverse
from django.utils.translation import gettext as _

from production import late_risk, schedule
from production.models import MilestoneForecast, Party, PurchaseOrder, Rebaseline
from production.plan_drawing import drawing
from production.plans import Course, Stage, courses
from production.wording import day, days, short_day

STATED_SHOWN = 100


def url_of(order: PurchaseOrder, name: str, *more: str) -> str:
    return reverse(name, args=[order.factory.code, order.number, *more])


def pill(course: Course) -> tuple[str, str]:
    """An order by its plan: (status, word)."""
    if course.is_done:
        return "ok", _("All reached")
    if not course.is_frozen:
        return "no_data", _("Not confirmed")
    if course.is_late:
        return "breach", _("%(days)s too late") % {"days": days(-course.slack_days)}
    if course.is_slipping:
        return "watch", _("%(days)s behind plan") % {"days": days(course.slip_days)}
    return "info", _("On plan")


def stage_pill(stage: Stage, course: Course) -> tuple[str, str]:
    return {
        schedule.DONE: ("ok", _("Reached")),
        schedule.ON_TRACK: ("info", _("On track")),
        schedule.AT_RISK: ("watch", _("At risk")),
        schedule.LATE: ("breach", _("Late")),
        schedule.OVERDUE: ("breach" if course.is_late else "watch", _("Overdue")),
    }[stage.status]


def slip(count: int) -> str:
    """+2 days, -1 day; nothing where the day is kept."""
    return ("+" if count > 0 else "−") + days(abs(count)) if count else ""


def slack(course: Course) -> str:
    if not course.is_frozen:
        return _("Not confirmed")
    left = course.slack_days
    return (
        _("%(days)s to spare") % {"days": days(left)} if left >= 0 else _("%(days)s too late") % {"days": days(-left)}
    )


def next_one(course: Course | None, today: date) -> dict[str, str] | None:
    """The cell of a list: what is to be reached next, when, and how many days the order has to spare."""
    stage = course.next if course else None
    if stage is None:
        return None
    status, word = pill(course)
    return {"title": stage.row.title, "on": short_day(stage.projected_on, today), "slack": slack(course), "status": status,
            "word": word}  # fmt: skip


def why(stage: Stage) -> str:
    """What decides the day of a milestone (CYC-3)."""
    return {
        schedule.ACTUAL: _("reached"),
        schedule.FORECAST: _("the day that was stated"),
        schedule.OVERDUE: _("its day is over: today at the earliest"),
        schedule.PLANNED: _("the plan"),
    }.get(stage.binding) or _("waits for: %(title)s") % {"title": stage.waits_for}


def began(course: Course) -> str:
    """Where the delay began, and whose it is (CYC-1)."""
    stage = course.slips_from
    if stage is None or not course.is_slipping:
        return ""
    facts = {"title": stage.row.title, "slip": slip(stage.slip_days)}
    if stage.row.responsible == Party.BUYER:
        return _("The delay began at: %(title)s, %(slip)s. We answer for that, not the factory.") % facts
    return _("The delay began at: %(title)s, %(slip)s. The factory answers for that.") % facts


def slipping_row(order: PurchaseOrder, course: Course) -> dict[str, str]:
    """One slipping order of the start page."""
    status, word = pill(course)
    return {"number": order.number, "url": order.get_absolute_url(), "factory": order.factory.name, "status": status,
            "word": word, "at": course.slips_from.row.title if course.slips_from else "",
            "slip": slip(course.slips_from.slip_days) if course.slips_from else ""}  # fmt: skip


def plan_of(order: PurchaseOrder, user, today: date, sees_notes: bool) -> dict | None:
    """The section of the order's page; None without a plan."""
    course = courses([order.pk], today).get(order.pk)
    if course is None:
        return None
    status, word = pill(course)
    risk = test = None
    if (
        sees_notes and course.is_frozen and not course.is_done and not order.closed_on
    ):  # it counts other factories' orders
        risk, test = late_risk.risk_of(order, today)
    waits = any(stage.row.frozen_at is None for stage in course.stages)
    moves = (
        Rebaseline.objects.filter(milestone__order=order)
        .select_related("milestone")
        .order_by("-asked_at", "milestone__position")
    )
    moves = [_move(each, sees_notes) for each in moves]
    writes, is_open = user.writes_orders(), not order.closed_on
    return {
        "status": status,
        "word": word,
        "facts": _facts(course),
        "began": began(course),
        "risk": risk_words(risk, test, course, today) if risk else [],
        "chart": drawing(course, today),
        "rows": [_stage(stage, course, order, user, today, sees_notes) for stage in course.stages],
        "confirmed": _confirmed(course, sees_notes),
        "moves": moves,
        "stated": _stated(order, sees_notes),
        "edit_url": url_of(order, "plan_edit") if writes and is_open and waits else "",
        "confirm_url": url_of(order, "plan_confirm")
        if (writes or user.role == user.Role.CONTACT) and is_open and waits
        else "",
        "move_url": url_of(order, "plan_move") if writes and is_open and not waits and not course.is_done else "",
        "decide_url": url_of(order, "plan_move_decide") if any(not each["approved"] for each in moves) else "",
    }


def _facts(course: Course) -> list[tuple[str, str]]:
    ends = _("Ended") if course.is_done else _("Heading for")
    return [
        (_("Planned end"), day(course.last.row.planned_on)),
        (ends, f"{day(course.last.projected_on)} {slip(course.slip_days)}".strip()),
        (_("Last day on time"), day(course.limit_on)),
        *([] if course.is_done else [(_("Days left"), slack(course))]),
    ]


def _confirmed(course: Course, sees_notes: bool) -> str:
    first = next((stage.row for stage in course.stages if stage.row.frozen_at), None)
    if first is None:
        return _("Not confirmed yet: its days may still change.")
    on = {"day": day(first.frozen_at.date()), "who": first.frozen_by}
    return _("Confirmed %(day)s by %(who)s") % on if sees_notes and first.frozen_by else _("Confirmed %(day)s") % on


def _stage(stage: Stage, course: Course, order: PurchaseOrder, user, today: date, sees_notes: bool) -> dict:
    row = stage.row
    status, word = stage_pill(stage, course)
    writes, is_open = user.writes_orders(), not order.closed_on
    own = user.role == user.Role.CONTACT and row.responsible == Party.FACTORY
    return {
        "title": row.title,
        "by": row.get_responsible_display(),
        "status": status,
        "word": word,
        "planned": day(row.planned_on),
        "projected": day(stage.projected_on),
        "stated": day(stage.forecast_on) if stage.forecast_on and not stage.is_done else "",
        "slip": slip(stage.slip_days),
        "why": "" if stage.is_done else why(stage),
        "evidence": (row.evidence or _("by the deliveries")) if stage.is_done and sees_notes else "",
        "is_early": stage.is_early,
        "is_critical": stage.is_critical and not course.is_done,
        "expect_url": url_of(order, "milestone_forecast", row.code)
        if (writes or own) and is_open and not stage.is_done
        else "",
        "reach_url": url_of(order, "milestone_reached", row.code) if writes and is_open and not stage.is_done else "",
        "back_url": url_of(order, "milestone_take_back", row.code) if writes and is_open and row.actual_on else "",
    }


def _move(move: Rebaseline, sees_notes: bool) -> dict[str, str]:
    return {
        "title": move.milestone.title,
        "was": day(move.was_on),
        "new": day(move.new_on),
        "reason": move.reason if sees_notes else "",
        "approved": day(move.approved_at.date()) if move.approved_at else "",
    }


def _stated(order: PurchaseOrder, sees_notes: bool) -> list[dict[str, str]]:
    """Every day that was stated, newest first. What we say among us, and who of us said it, is not for the factory."""
    found = (
        MilestoneForecast.objects.filter(milestone__order=order)
        .select_related("milestone", "stated_by")
        .order_by("-id")
    )
    rows = []
    for each in found[:STATED_SHOWN]:
        is_factory = each.stated_by is not None and each.stated_by.role == each.stated_by.Role.CONTACT
        rows.append({
            "title": each.milestone.title, "on": day(each.forecast_on), "at": day(each.stated_at.date()),
            "by": str(each.stated_by or "–") if sees_notes or is_factory else _("Buyer"),
            "reason": each.reason if sees_notes or is_factory else "",
        })  # fmt: skip
    return rows


def risk_words(risk: late_risk.Risk, test: late_risk.BackTest | None, course: Course, today: date) -> list[str]:
    """What became of comparable orders, never a share without its number (CYC-8)."""
    if today > course.limit_on:
        return []
    title = next(stage.row.title for stage in course.stages if stage.row.code == risk.code)
    base = _("%(late)s of the last %(count)s comparable orders ended after their last day on time.") % {
        "late": risk.base_late, "count": risk.base,
    }  # fmt: skip
    is_of_today = risk.counted_on is None or risk.counted_on >= today
    counted = "" if is_of_today else " " + _("Counted on %(day)s.") % {"day": day(risk.counted_on)}
    if test is None or not test.may_be_said:
        return [base + counted, _why_not(test)]
    if risk.chance is None:
        return [base, _("None of them had slipped this far, so none compares.")]
    told = [_compared(_("comparable orders"), risk.over, risk.pool, risk.slack_days)]
    if risk.own:
        told.append(_compared(_("of this factory's own"), risk.own_over, risk.own, risk.slack_days))
    told[0] += " " + _("Counted from: %(title)s.") % {"title": title}
    if risk.elapsed_days:
        told[0] += " " + _("Only those that slipped by %(days)s or more after it are compared, as this one has.") % {
            "days": days(risk.elapsed_days)
        }
    told[0] += counted
    if risk.likely_on and risk.safe_on:
        told.append(
            _("Likely by %(likely)s, safe by %(safe)s.") % {"likely": day(risk.likely_on), "safe": day(risk.safe_on)}
        )
    tested = {"skill": f"{float(test.brier.skill) * 100:.0f}", "count": test.chances, "days": test.days,
              "held": int(test.pinball.coverage * test.days)}  # fmt: skip
    told.append(_("Tested on the last 12 month ends: %(skill)s %% better than the base rate over %(count)s forecasts; "
                  "%(held)s of %(days)s safe days held.") % tested)  # fmt: skip
    return told


def _compared(who: str, over: int, count: int, left: int) -> str:
    facts = {"over": over, "count": count, "who": who, "left": days(abs(left))}
    if left >= 0:
        return _("%(over)s of the last %(count)s %(who)s needed more than the %(left)s left.") % facts
    return _("%(over)s of the last %(count)s %(who)s did not make up the missing %(left)s.") % facts


def _why_not(test: late_risk.BackTest | None) -> str:
    if test is None or not test.chances or test.brier.skill is None or test.pinball.coverage is None:
        return _("Only this base rate is shown: there is too little past to test a forecast on.")
    if test.brier.skill <= 0:
        return _("Only this base rate is shown: over %(count)s past forecasts, a forecast was no better than it.") % {
            "count": test.chances
        }
    return _("Only this base rate is shown: of %(days)s safe days that a forecast would have named, %(held)s held.") % {
        "days": test.days, "held": int(test.pinball.coverage * test.days),
    }  # fmt: skip
