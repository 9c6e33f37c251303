"""How a measure is counted, in words: the rule, the values of the policy that judged, and what one row more would do."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from assessments import wording
from assessments.figures import count, percent, plain_percent, points
from assessments.models import Evaluation


def rule(name: str) -> str:
    """How the rate is counted, in words."""
    return {
        "defect": _("defective units ÷ units inspected; critical and major defects, first inspection of each lot"),
        "otif": _("lines complete by the end of their limit day ÷ lines whose limit day has passed"),
        "loss": _("value of material lost ÷ value of material used, over closed orders"),
    }[name]


def definition(name: str, evaluation: Evaluation) -> SafeString:
    """The rule of a measure with the values of the policy that judged it, which stand out."""
    measure, policy = evaluation.measures[name], evaluation.policy
    counted = {
        "defect": _(
            "Critical and major defects count, in the first inspection of each lot that is not the factory’s own."
        ),
        "otif": _(
            "A line counts on its limit day: the promised day and the grace of its contract, at the receiving site."
        ),
        "loss": _("An order counts on the day it is closed; each currency is judged on its own."),
    }[name]
    marks = {
        "defect": _("Target {target}, ceiling {limit}, no points from {zero} on."),
        "otif": _("Target {target}, floor {limit}, no points from {zero} down."),
        "loss": _("Target {target}, limit {limit}, no points from {zero} on."),
    }[name]
    least = {
        "defect": ngettext(
            "Graded from {units} units in {lots} lot on; a breach is proven from {proven} units on, where chance alone gives "
            "as much in up to {alpha} of such samples.",
            "Graded from {units} units in {lots} lots on; a breach is proven from {proven} units on, where chance alone gives "
            "as much in up to {alpha} of such samples.", policy.min_lots),
        "otif": ngettext(
            "Graded from {lines} due line on; a breach is proven where chance alone gives as much in up to {alpha} of such "
            "periods.",
            "Graded from {lines} due lines on; a breach is proven where chance alone gives as much in up to {alpha} of such "
            "periods.", policy.min_lines),
        "loss": ngettext(
            "Graded from {orders} closed order on; a breach where the limit is passed over two of them or more.",
            "Graded from {orders} closed orders on; a breach where the limit is passed over two of them or more.",
            policy.min_orders),
    }[name]  # fmt: skip
    values = {
        "days": _span(evaluation), "target": plain_percent(measure["target"]), "limit": plain_percent(measure["limit"]),
        "zero": plain_percent(measure["zero"]), "units": count(policy.min_units), "lots": count(policy.min_lots),
        "proven": count(policy.min_units_confirm), "lines": count(policy.min_lines), "orders": count(policy.min_orders),
        "alpha": plain_percent(evaluation.alpha),
    }  # fmt: skip
    pattern = " ".join([counted, _("Counted over {days}."), marks, least])
    return format_html(pattern, **{key: format_html("<b>{}</b>", value) for key, value in values.items()})


def _span(evaluation: Evaluation) -> str:
    """ "90 days"; of a month also the days that count where these hold too few data."""
    policy = evaluation.policy
    values = {"days": count(policy.window_days), "longer": count(policy.fallback_days)}
    if evaluation.kind != Evaluation.Kind.MONTH or policy.fallback_days == policy.window_days:
        return _("%(days)s days") % values
    if evaluation.is_extended:
        return _("%(longer)s days, because %(days)s held too few data") % values
    return _("%(days)s days, %(longer)s where these hold too few data") % values


def one_more_on_time(measure: Mapping[str, Any], gain: Decimal) -> str:
    """What one late line on time would have done to the rate and the score, and that such effects do not add up."""
    num, den = int(measure["num"]) + 1, int(measure["den"])
    values = {
        "fraction": wording.fraction("otif", {**measure, "num": num}),
        "rate": percent(Decimal(num) / den),
        "gain": points(gain),
        "target": plain_percent(measure["target"]),
        "zero": plain_percent(measure["zero"]),
    }
    found = (
        _("If one of these lines had been on time: %(rate)s (%(fraction)s), and a score higher by %(gain)s.")
        if gain
        else _("If one of these lines had been on time: %(rate)s (%(fraction)s), and the same score.")
    )
    capped = _(
        "Effects of several lines do not add up: there are at most 100 points, from %(target)s, and at least 0, to %(zero)s."
    )
    return f"{found} {capped}" % values
