"""What an evaluation found, said in plain sentences. Reads only what is stored; computes nothing anew."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from assessments.figures import NONE, chance, count, day, money, month_name, percent, plain_percent, points
from assessments.models import Evaluation, Measure, Policy

Stored = Mapping[str, Any]  # one measure of Evaluation.measures

MEASURES = tuple(Measure.values)
LOWER_IS_BETTER = {"defect": True, "otif": False, "loss": True}
NOT_APPLICABLE = "not_applicable"


def state(measure: Stored | None) -> str:
    """The state to show: ok, watch, breach, no_data, not_applicable. Too few data hide ok and watch, never a breach."""
    if not measure:
        return "no_data"
    if not measure.get("applicable", True) or measure["status"] == NOT_APPLICABLE:
        return NOT_APPLICABLE
    if measure["status"] == "breach" or measure.get("sufficient"):
        return measure["status"]
    return "no_data"


def state_word(name: str, measure: Stored | None) -> str:
    """The word on the pill of one measure where its usual one would not be true: kept the limit, but not the target."""
    if measure and state(measure) == "ok" and not _reached(name, measure):
        return _("Within the limit")
    return ""


def overall(measures: Mapping[str, Stored]) -> str:
    """The worst state of all measures: what the pill beside a factory says."""
    states = [state(measures.get(name)) for name in MEASURES]
    for worst in ("breach", "watch"):
        if worst in states:
            return worst
    needed = [state(measures.get(name)) for name in ("defect", "otif")]
    return "no_data" if "no_data" in needed else "ok"


def label(name: str) -> str:
    return _(Measure(name).label)


def value(name: str, measure: Stored | None) -> str:
    """The rate, "71.43%"; a dash where the data are too few to say it."""
    if not measure or measure.get("rate") is None or state(measure) in ("no_data", NOT_APPLICABLE):
        return NONE
    return percent(measure["rate"])


def fraction(name: str, measure: Stored | None, with_money: bool = True) -> str:
    """The rate as what it was counted from: "25 of 35 lines"."""
    pattern, values = _fraction(name, measure, with_money)
    return pattern % values


def linked_fraction(
    name: str, measure: Stored | None, url: Callable[..., str], with_money: bool = True
) -> SafeString | str:
    """The same with a link on each number to exactly its rows; `url(**query)` gives the address of rows."""
    pattern, values = _fraction(name, measure, with_money)
    if not measure or not values:
        return pattern
    several = {"currency": measure["currency"]} if len(measure.get("currencies", [])) > 1 and with_money else {}
    parts = NUMERATORS[name] if with_money or name != "loss" else {}
    links = {
        key: format_html(
            '<a href="{}">{}</a>', url(**({"counted": parts[key]} if key in parts else {}), **several), text
        )
        for key, text in values.items()
    }
    return format_html(re.sub(r"%\((\w+)\)s", r"{\1}", pattern), **links)


# The rows that the numerator of a measure counts.
NUMERATORS = {"otif": {"good": "on-time"}, "defect": {"bad": "defective"}, "loss": {"lost": "lost"}}


def _fraction(name: str, measure: Stored | None, with_money: bool) -> tuple[str, dict[str, str]]:
    """The words of a fraction and the numbers to put in; no numbers where there is nothing to count."""
    if not measure:
        return _("no data"), {}
    if name == "otif":
        total = int(measure["den"])
        lines = ngettext("%(good)s of %(total)s line", "%(good)s of %(total)s lines", total)
        return lines, {"good": count(measure["num"]), "total": count(total)}
    if name == "defect":
        total = int(measure["den"])
        units = ngettext("%(bad)s of %(total)s unit", "%(bad)s of %(total)s units", total)
        return units, {"bad": count(measure["num"]), "total": count(total)}
    if state(measure) == NOT_APPLICABLE:
        return _("no material of ours"), {}
    if with_money and measure.get("currency"):
        of = {"lost": money(measure["num"], measure["currency"]), "used": money(measure["den"], measure["currency"])}
        return _("%(lost)s of %(used)s"), of
    orders = int(measure.get("orders") or 0)
    return ngettext("%(n)s closed order", "%(n)s closed orders", orders), {"n": count(orders)}


def sample(name: str, measure: Stored | None) -> str:
    """How much the rate stands on: "35 lines", "1,250 units in 12 lots", "4 orders"."""
    if not measure:
        return NONE
    total = int(Decimal(measure["den"]))
    if name == "otif":
        return ngettext("%(n)s line", "%(n)s lines", total) % {"n": count(total)} if total else _("none due")
    if name == "defect":
        lots = int(measure.get("lots") or 0)
        if not lots:
            return _("none inspected")
        words = ngettext("%(units)s units in %(n)s lot", "%(units)s units in %(n)s lots", lots)
        return words % {"units": count(measure["den"]), "n": count(lots)}
    orders = int(measure.get("orders") or 0)
    return ngettext("%(n)s order", "%(n)s orders", orders) % {"n": count(orders)} if orders else _("none closed")


def interval(measure: Stored | None) -> str:
    """ "90% interval 57.3–82.1%"; empty where there is none (material loss is counted, not sampled)."""
    if not measure or measure.get("lower") is None or measure.get("rate") is None:
        return ""
    return _("90%% interval %(ends)s") % {"ends": ends(measure)}


def interval_sentence(name: str, measure: Stored | None) -> str:
    """What the interval means: how far chance alone may have moved the rate from the lasting one."""
    if not measure or measure.get("rate") is None or state(measure) == NOT_APPLICABLE:
        return ""
    if name == "loss":
        return _(
            "Material is weighed and counted to the last piece, not sampled: the rate is exact and has no interval."
        )
    if measure.get("lower") is None:
        return ""
    places = _places(measure)
    values = {
        "low": percent(measure["lower"], places), "high": percent(measure["upper"], places), "total": count(measure["total"])
    }  # fmt: skip
    if name == "otif":
        words = ngettext(
            "90%% interval: %(total)s line does not tell the lasting rate to the point; it most likely lies between "
            "%(low)s and %(high)s.",
            "90%% interval: %(total)s lines do not tell the lasting rate to the point; it most likely lies between %(low)s "
            "and %(high)s.",
            int(measure["total"]),
        )
    else:
        words = _(
            "90%% interval: %(total)s units were looked at, not every one that was made; the rate of them all most likely "
            "lies between %(low)s and %(high)s."
        )
    return words % values


def ends(measure: Stored) -> str:
    """The two ends of the interval: "57.3–82.1%", with two decimals where the rate is small."""
    places = _places(measure)
    return f"{percent(measure['lower'], places).removesuffix('%')}–{percent(measure['upper'], places)}"


def _places(measure: Stored) -> int:
    """Decimals of an interval: two where the rate is small."""
    return 2 if measure["upper"] < 0.1 else 1


def threshold(name: str, measure: Stored) -> str:
    """ "floor 90%", "ceiling 3%", "limit 3%"."""
    words = {"defect": _("ceiling %(value)s"), "otif": _("floor %(value)s"), "loss": _("limit %(value)s")}[name]
    return words % {"value": plain_percent(measure["limit"])}


def verdict(name: str, measure: Stored) -> str:
    """What the state means for this measure, as the end of a sentence."""
    status = state(measure)
    side = _("above") if LOWER_IS_BETTER[name] else _("below")
    if status == "breach":
        return _("proven %(side)s") % {"side": side} if name != "loss" else _("above it, over several orders")
    if status == "watch":
        return _("%(side)s it, not proven") % {"side": side} if name != "loss" else _("above it, over one order only")
    if _reached(name, measure):
        return _("on target")
    return _("within the limit, not at the target of %(value)s") % {"value": plain_percent(measure["target"])}


def see_rows(name: str, measure: Stored | None) -> str:
    """The link to the rows behind a measure: "See the 35 lines"; of nothing there is nothing to see, but why."""
    if not measure or not int(Decimal(measure["den"])):
        return _("What is not counted, and why")
    return _("See the %(sample)s") % {"sample": sample(name, measure)}


def few(name: str, measure: Stored | None, policy: Policy) -> str:
    """Too few data, with the counts and what is needed: "2 lines due, at least 5 needed"."""
    if name == "otif":
        total = int(measure["den"]) if measure else 0
        words = ngettext(
            "%(n)s line due, at least %(least)s needed", "%(n)s lines due, at least %(least)s needed", total
        )
        return words % {"n": count(total), "least": count(policy.min_lines)}
    if name == "defect":
        total, lots = (int(measure["den"]), int(measure.get("lots") or 0)) if measure else (0, 0)
        words = ngettext("%(units)s units in %(n)s lot", "%(units)s units in %(n)s lots", lots)
        words = words % {"units": count(total), "n": count(lots)}
        least = {"have": words, "units": count(policy.min_units), "lots": count(policy.min_lots)}
        return _("%(have)s, at least %(units)s units in %(lots)s lots needed") % least
    orders = int(measure.get("orders") or 0) if measure else 0
    words = ngettext(
        "%(n)s order closed, at least %(least)s needed", "%(n)s orders closed, at least %(least)s needed", orders
    )
    return words % {"n": count(orders), "least": count(policy.min_orders)}


def sentence(name: str, measure: Stored | None, policy: Policy, with_money: bool = True) -> str:
    """The measure in one sentence: "On time in full 71.43% (25 of 35 lines), floor 90%: proven below."."""
    status = state(measure)
    if measure is None or status == "no_data":
        return _("%(label)s: too few data, %(counts)s.") % {"label": label(name), "counts": few(name, measure, policy)}
    if status == NOT_APPLICABLE:
        return _("%(label)s does not apply: no material of ours was given.") % {"label": label(name)}
    return _("%(label)s %(value)s (%(fraction)s), %(threshold)s: %(verdict)s.") % {
        "label": label(name),
        "value": percent(measure["rate"]),
        "fraction": fraction(name, measure, with_money),
        "threshold": threshold(name, measure),
        "verdict": verdict(name, measure),
    }


def proof(name: str, measure: Stored | None, alpha: Decimal | None = None) -> str:
    """What the numbers prove: the p-value as a sentence; empty where nothing lies beyond the limit.

    With `alpha` it is said how rare chance must be to count as proof.
    """
    if not measure or measure["status"] not in ("watch", "breach"):
        return ""
    proven = measure["status"] == "breach"
    if name == "loss":
        if proven:
            return _(
                "All material is counted, nothing is left to chance: above the limit over two orders or more is a breach."
            )
        return _("Only one order is closed. Above the limit over two orders or more would be a breach.")
    if measure.get("p_value") is None:
        return ""
    values = {
        "bad": count(measure["bad"]),
        "total": count(measure["total"]),
        "limit": plain_percent(measure["limit"]),
        "allowed": plain_percent(1 - Decimal(measure["limit"])),
        "chance": chance(float(measure["p_value"])),
    }
    if name == "otif":
        found = (
            _(
                "%(bad)s of %(total)s not on time in full is more than the %(allowed)s that the floor of %(limit)s leaves, "
                "and proven:"
            )
            if proven
            else _(
                "%(bad)s of %(total)s not on time in full is more than the %(allowed)s that the floor of %(limit)s leaves, "
                "not proven:"
            )
        )
        odds = _("a factory exactly at %(limit)s would have %(bad)s or more such lines in %(chance)s of such periods.")
    else:
        found = (
            _("%(bad)s of %(total)s is above the %(limit)s ceiling, and proven:")
            if proven
            else _("%(bad)s of %(total)s is above the %(limit)s ceiling but not proven:")
        )
        odds = _("a factory exactly at %(limit)s would show %(bad)s or more in %(chance)s of such samples.")
    said = f"{found} {odds}" % values
    return f"{said} {_bar(measure, alpha, proven)}" if alpha is not None else said


def _bar(measure: Stored, alpha: Decimal, proven: bool) -> str:
    """What it takes to count as proof, and what is missing."""
    bar = {"alpha": plain_percent(alpha)}
    if proven:
        return _("Up to %(alpha)s counts as proof.") % bar
    if measure["p_value"] >= alpha:
        return _("That may be chance; only up to %(alpha)s counts as proof.") % bar
    if "clustered" in measure.get("flags", []):
        return _("That is rare, but the defects sit in a few lots, and then more of them come by chance: no proof yet.")
    return _("That is rare, but so few were counted that it proves nothing yet.")


def points_rule(name: str, measure: Stored) -> str:
    """The points with the numbers put in: "100 − 40 × (2.96 − 1) ÷ (3 − 1) = 60.80 points."."""
    if measure.get("points") is None:
        return ""
    rate, target, limit, zero = (Decimal(measure[key]) * 100 for key in ("rate", "target", "limit", "zero"))
    x, t, at, z = (_trim(number) for number in (rate.quantize(Decimal("0.0001")), target, limit, zero))
    low = LOWER_IS_BETTER[name]
    if _reached(name, measure):
        return _("%(value)s has reached the target of %(t)s%%: 100 points.") % {
            "value": percent(measure["rate"]),
            "t": t,
        }
    if rate <= limit if low else rate >= limit:
        formula = f"100 − 40 × ({x} − {t}) ÷ ({at} − {t})" if low else f"100 − 40 × ({t} − {x}) ÷ ({t} − {at})"
        ends_at = (t, at)
    elif rate < zero if low else rate > zero:
        formula = f"60 × ({z} − {x}) ÷ ({z} − {at})" if low else f"60 × ({x} − {z}) ÷ ({at} − {z})"
        ends_at = (at, z)
    else:
        beyond = (
            _("%(value)s is at %(z)s%% or above, where no points are left.")
            if low
            else _("%(value)s is at %(z)s%% or below, where no points are left.")
        )
        return beyond % {"value": percent(measure["rate"]), "z": z}
    return _("%(value)s lies between %(one)s%% and %(two)s%%: %(formula)s = %(points)s points.") % {
        "value": percent(measure["rate"]),
        "one": ends_at[0],
        "two": ends_at[1],
        "formula": formula,
        "points": points(measure["points"]),
    }


def gate(hit: Mapping[str, str], policy: Policy) -> str:
    """A gate of an evaluation by a policy, in words: "A proven breach of the defect rate: at most Passing"."""
    kind, _colon, rest = hit["label"].partition(":")
    cap = _(hit["cap"].replace("_", " ").capitalize())
    measure, _colon, category = rest.partition(":")
    subject = label(measure) if measure in MEASURES else rest.replace("_", " ")
    subject += f" ({category})" if category else ""
    words = {
        "confirmed_breach": _("%(subject)s is proven beyond its limit: the grade is at most %(cap)s."),
        "metric_zero": _("%(subject)s earns no points at all: the grade is at most %(cap)s."),
        "low_coverage": _(
            "Less than %(share)s of what was delivered had been inspected: the grade is at most %(cap)s."
        ),
        "escalated_30d": _("A breach has been escalated for more than 30 days: the grade is at most %(cap)s."),
        "critical_unit": _("One lot with a critical defect: the grade is at most %(cap)s.")
        if rest == "1"
        else _("%(subject)s with a critical defect: the grade is at most %(cap)s."),
    }.get(kind, "%(subject)s: %(cap)s.")
    return words % {"subject": subject, "cap": cap, "share": plain_percent(policy.min_coverage)}


def flag(name: str, policy: Policy) -> str:
    """A flag of a measure or an evaluation by a policy, in words; the bare word where it is a new one."""
    return {
        "dominance": _(
            "One lot holds more than half of the units, or the lots weigh very differently: see the other estimates."
        ),
        "low_coverage": _("Less than %(share)s of the delivered quantity belongs to inspected lots.")
        % {"share": plain_percent(policy.min_coverage)},
        "clustered": _(
            "The defects sit in a few lots, so the lots say less than their units: proof takes more defects."
        ),
        "critical_unit": _("A critical defect was found."),
        "negative_loss": _("On some orders less material was used than the bill of materials says: check the bill."),
        "extended_window": _("Too few data in the usual window: the longer one was used."),
    }.get(name, name.replace("_", " ").capitalize() + ".")


def gist(name: str, measure: Stored, with_money: bool = True) -> str:
    """A measure for the end of a longer sentence: "defect rate 1.20%"."""
    return f"{label(name).lower()} {percent(measure['rate'])}"


def worst_first(evaluation: Evaluation) -> list[str]:
    """The measures, the worst state first, among equals the one that adds least to the score."""
    rank = {"breach": 0, "watch": 1, "no_data": 2, "ok": 3, NOT_APPLICABLE: 4}

    def badness(name: str) -> tuple[int, Decimal]:
        measure = evaluation.measures.get(name)
        return rank[state(measure)], Decimal(measure["adds"]) if measure and measure.get("adds") else Decimal(0)

    return sorted(MEASURES, key=badness)


def summary(evaluation: Evaluation, with_money: bool = True) -> str:
    """The evaluation in one or two sentences, the worst measure first."""
    states = {name: state(evaluation.measures.get(name)) for name in MEASURES}
    worst = worst_first(evaluation)[0]
    if states[worst] == "ok":
        every = ", ".join(gist(n, evaluation.measures[n]) for n in MEASURES if states[n] == "ok")
        return _("Every measure is within its limit: %(every)s.") % {"every": every}
    first = sentence(worst, evaluation.measures.get(worst), evaluation.policy, with_money)
    others = [n for n in MEASURES if n != worst and states[n] in ("breach", "watch")]
    if others:
        more = "; ".join(f"{label(n)} {percent(evaluation.measures[n]['rate'])}" for n in others)
        return f"{first} " + _("Also beyond its limit: %(more)s.") % {"more": more}
    return first


def when(evaluation: Evaluation) -> str:
    """Which days it covers: "the 90 days to 22 Nov 2026"."""
    return _("the %(days)s days to %(day)s") % {"days": count(evaluation.window_days), "day": day(evaluation.as_of)}


def period_name(evaluation: Evaluation) -> str:
    """ "Nov 2026" for a month, "22 Nov 2026" for a day."""
    return month_name(evaluation.as_of) if evaluation.kind == Evaluation.Kind.MONTH else day(evaluation.as_of)


def _reached(name: str, measure: Stored) -> bool:
    rate, target = Decimal(measure["rate"]), Decimal(measure["target"])
    return rate <= target if LOWER_IS_BETTER[name] else rate >= target


def _trim(value: Decimal) -> str:
    """A number of percent points without trailing zeros."""
    return plain_percent(value / 100).removesuffix("%")


def card_url(evaluation: Evaluation) -> str:
    """The scorecard of the factory, in the same month where the evaluation is of one."""
    page = f"/factories/{evaluation.factory.code}/"
    return f"{page}?period={evaluation.period}" if evaluation.kind == Evaluation.Kind.MONTH else page


def score_url(evaluation: Evaluation, measure: str = "", **query: object) -> str:
    """Where an evaluation, or the rows of one of its measures, is shown; a category is named in the query string."""
    if evaluation.category_id:
        query["category"] = evaluation.category.code
    if evaluation.is_pinned:
        query |= {"kind": evaluation.kind, "revision": evaluation.revision}
    page = evaluation.get_absolute_url() + (f"{measure}/" if measure else "")
    return f"{page}?{urlencode(query)}" if query else page
