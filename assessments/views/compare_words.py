"""The figures of the comparison in words: names of measures, rates, what they stand on, cells, colours."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from assessments import comparison, wording
from assessments.charts import heat_class, heat_steps
from assessments.compared import COMPARED, LINES, LOTS, POINTS, UNITS
from assessments.comparison import Tally
from assessments.figures import NONE, count, month_name, percent, quantity
from assessments.models import Policy
from assessments.models.policies import Thresholds
from assessments.windows import Window
from factories.models import Factory
from production.rollup_sums import half_up

LABELS = {
    "otd": gettext_lazy("On time, whatever the quantity"),
    "quantity": gettext_lazy("Quantity on time"),
    "defect-all": gettext_lazy("Defect rate of all classes"),
    "defect-lots": gettext_lazy("Defect rate, each lot weighing the same"),
    "defect-quantity": gettext_lazy("Defect rate by delivered quantity"),
    "rejected": gettext_lazy("Lots rejected"),
    "critical": gettext_lazy("Lots with a critical defect"),
    "coverage": gettext_lazy("Share of deliveries inspected"),
    "score": gettext_lazy("Score"),
}
# What a minimum n counts.
COUNTED_IN = {
    "lines": gettext_lazy("lines"), "units": gettext_lazy("units inspected"), "lots": gettext_lazy("lots"),
    "orders": gettext_lazy("closed orders"), "quantity": gettext_lazy("units delivered"), "points": "",
}  # fmt: skip


def label(measure: str) -> str:
    return str(LABELS[measure]) if measure in LABELS else wording.label(measure)


def like(measure: str) -> str:
    """A judged measure of the same direction, for words and arrows that only know those."""
    return "defect" if COMPARED[measure].lower else "otif"


def cell(
    factory: Factory, measure: str, month: Window, found: Tally | None, policy: Policy | None, ruler: Thresholds | None,
    least: int | None = None,
) -> dict[str, str]:  # fmt: skip
    """One figure: its class, its text, how much it stands on, and where its rows are; also of a month without any."""
    name, url = month_name(month.first), url_of(factory, measure, month, found)
    if found is None or found.rate is None:
        why = _("%(month)s: too few data for a score") if found else _("%(month)s: nothing was counted")
        return {"css": "nil", "text": NONE, "title": why % {"month": name}, "url": url}
    few = policy is None or not comparison.enough(measure, found, policy, least)
    css = "few" if few else "plain"
    if ruler is not None:
        css = heat_class(found.rate, ruler.target, ruler.limit, COMPARED[measure].lower, few)
    return {
        "css": css,
        "text": short(measure, found),
        "title": f"{name}: {shown(measure, found.rate)}, {stands_on(measure, found)}",
        "url": url,
    }


def url_of(factory: Factory, measure: str, span: Window, found: Tally | None = None) -> str:
    """Where the rows are that were counted in some days; of a score where it is explained, else the scorecard."""
    compared = COMPARED[measure]
    if compared.of == POINTS:
        if found and found.period:
            return reverse("score_detail", args=[factory.code, found.period])
        return reverse("factory_detail", args=[factory.code])
    part = f"&counted={compared.part}" if compared.part else ""
    return reverse("factory_rows", args=[factory.code, compared.rows]) + f"?first={span.first}&last={span.last}{part}"


def short(measure: str, found: Tally) -> str:
    """The rate in the little room of a cell: "71" of lines on time, "2.4" of units or value lost, "81" of a score."""
    places = 1 if COMPARED[measure].lower else 0
    return exact(found.rate or Fraction(0), places).removesuffix("%")


def stands_on(measure: str, found: Tally) -> str:
    """What a figure was counted from: "25 of 35 lines", "19 of 800 units in 10 lots", "2 orders"."""
    compared = COMPARED[measure]
    if measure == "loss":
        return ngettext("%(n)s order", "%(n)s orders", found.n) % {"n": count(found.n)}
    if measure == "score":
        return _("of 90 days or more, as it was judged")
    if measure == "coverage":
        return _("%(num)s of %(den)s units delivered") % {"num": quantity(found.num), "den": quantity(found.den)}
    if measure == "quantity":
        of = {"num": quantity(found.num), "den": quantity(found.den), "n": count(found.n)}
        return (
            ngettext("%(num)s of %(den)s units in %(n)s line", "%(num)s of %(den)s units in %(n)s lines", found.n) % of
        )
    if compared.bad is None:
        return ngettext("%(n)s lot", "%(n)s lots", found.n) % {"n": count(found.n)}
    if compared.of == LOTS:
        of = {"num": count(int(found.num)), "den": count(int(found.den))}
        return ngettext("%(num)s of %(den)s lot", "%(num)s of %(den)s lots", int(found.den)) % of
    words = wording.fraction(
        "otif" if compared.of == LINES else "defect", {"num": int(found.num), "den": int(found.den)}
    )
    if compared.of == LINES:
        return words
    lots = ngettext("%(units)s in %(n)s lot", "%(units)s in %(n)s lots", found.n)
    return lots % {"units": words, "n": count(found.n)}


def legend(measure: str, ruler: Thresholds) -> list[tuple[str, str]]:
    """The seven classes with the border at which each begins; those between two equal borders are left out."""
    lower = COMPARED[measure].lower
    borders = heat_steps(ruler.target, ruler.limit, lower)
    steps = [number(measure, step) for step in borders]
    beyond = _("over %(value)s") if lower else _("under %(value)s")
    within = _("to %(value)s") if lower else _("from %(value)s")
    words = [beyond % {"value": steps[0]}, *(within % {"value": step} for step in steps)]
    limit, target = {
        "score": (_("(passing)"), _("(excellent)")), "coverage": ("", _("(asked for)")),
    }.get(measure, (_("(limit)"), _("(target)")))  # fmt: skip
    words[3] += f" {limit}"
    words[4] += f" {target}"
    kept = [place for place in range(7) if place in (0, 6) or borders[place] != borders[place - 1]]
    if not lower and borders[0] <= 0:
        kept.remove(0)  # nothing lies below it
    return [(f"h{place + 1}", words[place].strip()) for place in kept]


def number(measure: str, share: float) -> str:
    """A border in percent without useless decimals; of a score in points."""
    value = round(share * 100, 1)
    return f"{number_format(value, 0 if value == int(value) else 1)}{'' if COMPARED[measure].of == POINTS else '%'}"


def weight(measure: str, units: int) -> str:
    of = COMPARED[measure].of
    if of == LINES:
        return ngettext("%(n)s line", "%(n)s lines", units) % {"n": count(units)}
    if of == UNITS:
        return ngettext("%(n)s unit", "%(n)s units", units) % {"n": count(units)}
    return ngettext("%(n)s lot", "%(n)s lots", units) % {"n": count(units)}


def shares(measure: str, bad: int, total: int) -> str:
    """Bad of total as the fraction of its measure: of lines those on time, of units or lots the bad ones."""
    compared = COMPARED[measure]
    num = bad if compared.lower else total - bad
    if compared.of == LOTS:
        of = {"num": count(num), "den": count(total)}
        return ngettext("%(num)s of %(den)s lot", "%(num)s of %(den)s lots", total) % of
    known: dict[str, Any] = {"num": num, "den": total, "rate": 1}
    return wording.fraction("otif" if compared.of == LINES else "defect", known)


def rate(measure: str, bad: Fraction) -> str:
    """A bad share as the rate of its measure: of lines the share that was on time."""
    return exact(bad if COMPARED[measure].lower else 1 - bad)


def shown(measure: str, share: Fraction) -> str:
    """A rate with two decimals: "71.43%"; of a score "81.20"."""
    return exact(share).removesuffix("%") if COMPARED[measure].of == POINTS else exact(share)


def exact(share: Fraction | Decimal, places: int = 2) -> str:
    return percent(half_up(Fraction(share), places + 2), places)
