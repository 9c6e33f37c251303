"""What a breach is, said in a line: on lists and on its page."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from assessments import wording
from assessments.figures import count, day, percent, plain_percent
from assessments.models import Breach


def title(breach: Breach) -> str:
    """What broke: "On time in full 71.43%, floor 90%", "Order PO-2391 is late"."""
    if breach.event == Breach.Event.LATE_ORDER:
        words = _("Order %(number)s came late") if getattr(breach, "came_late", None) else _("Order %(number)s is late")
        return words % {"number": breach.order.number}
    if breach.event == Breach.Event.CRITICAL_LOT:
        return _("Lot %(code)s has a critical defect") % {"code": breach.lot.code}
    if breach.event == Breach.Event.CHARGE:
        values = {"material": breach.order_material.material.name, "number": breach.order.number}
        return _("%(material)s lost beyond the allowance on order %(number)s") % values
    high = wording.LOWER_IS_BETTER[breach.measure]
    value_now = breach.value if high or breach.value is None else 1 - breach.value
    limit = breach.limit if high or breach.limit is None else 1 - breach.limit
    words = {"label": wording.label(breach.measure), "value": percent(value_now), "limit": plain_percent(limit)}
    named = {
        "defect": _("%(label)s %(value)s, ceiling %(limit)s"),
        "otif": _("%(label)s %(value)s, floor %(limit)s"),
        "loss": _("%(label)s %(value)s, limit %(limit)s"),
    }[breach.measure] % words
    return f"{named} ({breach.category.name})" if breach.category_id else named


def arrival(breach: Breach) -> str:
    """When the goods of a late order came after all, where the breach was asked for with its arrival; else empty."""
    if not getattr(breach, "came_late", None):
        return ""
    words = ngettext("arrived on %(day)s, %(n)s day late", "arrived on %(day)s, %(n)s days late", breach.came_late)
    said = words % {"day": day(breach.came_on), "n": count(breach.came_late)}
    return _("%(said)s; waits to be resolved") % {"said": said} if breach.is_live else said


def row(breach: Breach) -> dict[str, Any]:
    """A breach as a row of a list."""
    needs = breach.state in (Breach.State.OPEN, Breach.State.ESCALATED)
    who = breach.acknowledged_by
    return {
        "breach": breach,
        "title": title(breach),
        "url": breach.get_absolute_url(),
        "since": day(breach.opened_on),
        "needs": needs,
        "status": breach.severity,
        "word": _("Escalated") if breach.state == Breach.State.ESCALATED else "",
        "came": arrival(breach),
        "who": _("acknowledged by %(name)s") % {"name": who} if who and not needs else "",
        "resolved": day(breach.resolved_on) if breach.resolved_on else "",
    }
