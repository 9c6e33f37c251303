"""What moves no grade, in words: the blocks of the section beside the score."""

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from assessments import besides, charts, evidence, intervals, measures, wording
from assessments.besides import Besides
from assessments.figures import NONE, count, day, percent, plain_percent, points
from assessments.models import Evaluation
from factories.models import Factory
from production.models import Inspection, PurchaseOrder
from production.rollup_sums import half_up

MOST_NAMED = 10  # orders and lots that are listed by name

Block = dict[str, Any]
Rows = Callable[..., SafeString]  # text, measure and part -> the text with a link to its rows


def shown(evaluation: Evaluation) -> dict[str, Any]:
    """The section beside the score: its days and its blocks, each with facts and what has to be said about them."""
    found = besides.besides(evaluation)
    to_rows = partial(rows, evaluation)
    return {
        "days": " – ".join(day(end) for end in evidence.window(evaluation, "defect")),
        "blocks": [
            cycles(found, to_rows),
            delays(found, to_rows),
            orders(found, evaluation.factory, to_rows),
            defects(found, to_rows),
            censuses(found, evaluation, to_rows),
        ],
    }


def rows(evaluation: Evaluation, text: object, measure: str, part: str = "", **query: object) -> SafeString:
    url = wording.score_url(evaluation, measure, **({"counted": part} if part else {}), **query)
    return format_html('<a href="{}">{}</a>', url, text)


def cycles(found: Besides, to_rows: Rows) -> Block:
    """How long lines took from the confirmation of their order (OTD-17), and with the open ones counted in (OTD-18)."""
    cycle = found.cycles

    def done(value: int | Fraction | None) -> SafeString:
        return to_rows(in_days(value), "otif", "completed")

    facts: list[tuple[str, Any]] = [(_("Lines completed"), to_rows(count(cycle.completed), "otif", "completed"))]
    notes: list[Any] = []
    if cycle.completed:
        facts += [
            (_("Half of them within"), done(cycle.took.p50)),
            (_("80% of them within"), done(cycle.took.p80)),
            (_("90% of them within"), done(cycle.took.p90)),
            (_("Mean"), done(cycle.took.mean)),
            (_("Longest"), done(cycle.took.max)),
        ]
    if cycle.completed and cycle.waiting:
        late = _("not reached: too many are still open") if cycle.median is None else in_days(cycle.median)
        facts.append((_("Half of all, with the open ones, within"), to_rows(late, "otif", "ran")))
    if cycle.waiting:
        words = ngettext(
            "{n} line was open at the end of these days. It is counted as still running: it takes longer than its age.",
            "{n} lines were open at the end of these days. They are counted as still running: each takes longer than its age.",
            cycle.waiting,
        )
        notes.append(format_html(words, n=to_rows(count(cycle.waiting), "otif", "running")))
    if cycle.agreed:
        over = part_of(
            ngettext("{n} of {all} line", "{n} of {all} lines", cycle.agreed),
            to_rows(count(cycle.overran), "otif", "overran"),
            to_rows(count(cycle.agreed), "otif", "agreed"),
        )
        beyond = to_rows(in_days(cycle.beyond.p50, signed), "otif", "agreed")
        facts += [(_("Longer than the agreed cycle"), over), (_("Difference to it, half within"), beyond)]
    elif cycle.completed:
        notes.append(_("No cycle was agreed for these orders."))
    title = _("Production cycle, from confirmation to completion")
    return {
        "name": "cycle",
        "title": title,
        "empty": not (cycle.completed or cycle.waiting),
        "facts": facts,
        "notes": notes,
    }


def delays(found: Besides, to_rows: Rows) -> Block:
    """How late the lines due in these days were, and how late the open ones are so far (OTD-15, ROL-5)."""
    delay, sums = found.delays, found.delays.delivery.sums
    facts: list[tuple[str, Any]] = []
    if sums.late_closed:
        facts += [
            (_("Ended late"), to_rows(lines(sums.late_closed), "otif", "missed")),
            (_("Their days late, together"), to_rows(in_days(sums.days_late_closed), "otif", "missed")),
            (_("Half of them within"), to_rows(in_days(delay.median), "otif", "missed")),
        ]
    if delay.waiting.open_count:
        facts += [
            (_("Still open"), to_rows(lines(delay.waiting.open_count), "otif", "open")),
            (_("Their days late so far, together"), to_rows(in_days(delay.waiting.total_days_late), "otif", "open")),
        ]
    if sums.lines:
        mean = to_rows(in_days(delay.delivery.avg_days_late_all), "otif")
        facts.append((_("Days late, mean of all lines due"), mean))
    title = _("Delays of the lines due")
    return {
        "name": "delay",
        "title": title,
        "empty": not sums.lines,
        "facts": facts,
        "notes": [],
        **drawing(found, to_rows),
    }


def drawing(found: Besides, to_rows: Rows) -> dict[str, Any]:
    """The lines by days after their last on-time day, drawn and as a table."""
    ended = found.delays.ended
    if not ended:
        return {}
    late = sum(n for days, n in ended.items() if days > 0)
    title = _("Lines by days after their last on-time day")
    said = ngettext(
        "%(late)s of %(all)s line ended after its last on-time day or is still open after it.",
        "%(late)s of %(all)s lines ended after their last on-time day or are still open after it.",
        ended.total(),
    )
    return {
        "chart": charts.histogram(
            ended,
            title=title,
            desc=said % {"late": count(late), "all": count(ended.total())},
        ),
        "chart_title": title,
        "head": [_("Days after the last on-time day"), _("Lines")],
        "rows": [[signed(days), to_rows(count(n), "otif", "ended", after=days)] for days, n in sorted(ended.items())],
    }


def orders(found: Besides, factory: Factory, to_rows: Rows) -> Block:
    """How many orders were on time and in full with every line (OTD-16), and which were not."""
    every = found.orders
    words = part_of(
        ngettext("{n} of {all} order", "{n} of {all} orders", every.total),
        to_rows(count(every.whole), "otif", "whole"),
        to_rows(count(every.total), "otif", "orders"),
    )
    share = percent(exact(Fraction(every.whole, every.total)) if every.total else None)
    facts = [
        (_("Every line on time and in full"), words),
        (_("Share of orders"), to_rows(share, "otif", "orders")),
    ]
    missed = every.missed
    named = [
        (
            PurchaseOrder(factory=factory, number=order.number).get_absolute_url(),
            order.number,
            lines_of(order.hits, order.lines),
        )
        for order in missed[:MOST_NAMED]
    ]
    return {
        "name": "orders",
        "title": _("Whole orders"),
        "empty": not every.total,
        "facts": facts,
        "notes": [_("An order counts on the last limit day of its lines.")] if every.total else [],
        **listed(
            _("Not whole, with the lines that were on time and in full"),
            named,
            len(missed),
            partial(to_rows, measure="otif", part="not-whole"),
        ),
    }


def defects(found: Besides, to_rows: Rows) -> Block:
    """The same lots by other counts: all classes, three weightings, defects per million (DEF-2, DEF-6, DEF-7)."""
    seen, weighted = found.defects, found.defects.weighted
    facts: list[tuple[str, Any]] = []
    notes = []
    if seen.units:
        minor = ngettext("%(n)s unit", "%(n)s units", seen.minor) % {"n": count(seen.minor)}
        facts = [
            (_("All classes, minor ones too"), to_rows(rate(seen.rates.rate_all_classes), "defect")),
            (_("With minor defects only"), to_rows(minor, "defect", "minor")),
            (_("Every unit weighs the same"), to_rows(rate(weighted.unit_weighted), "defect")),
            (_("Every lot weighs the same"), to_rows(rate(weighted.lot_weighted), "defect")),
            (_("By delivered quantity"), to_rows(rate(weighted.quantity_weighted), "defect")),
            (_("How much the lots differ"), to_rows(_spread(seen), "defect")),
            (_("Defective units per million"), to_rows(count(seen.ppm), "defect") if seen.ppm is not None else NONE),
        ]
        facts += [
            (_("90% interval of the rate (Wilson)"), to_rows(ends(seen.wilson), "defect")),
            (_("Exact 90% interval (Clopper and Pearson)"), to_rows(ends(seen.exact), "defect")),
        ]
        notes.append(
            _(
                "The exact interval holds the lasting rate at least nine times in ten, whatever it is, and is wider; "
                "Wilson’s does so on average."
            )
        )
        if seen.ppm is None:
            least = _("Defects per million are shown from %(least)s inspected units on: %(n)s were inspected.")
            notes.append(least % {"least": count(measures.PPM_MIN_UNITS), "n": count(seen.units)})
    if seen.dominant:
        lot = format_html('<a href="{}">{}</a>', inspection_url(seen.dominant), seen.dominant.code)
        one = _("Lot {lot} holds {share} of the inspected units.")
        notes.append(format_html(one, lot=lot, share=rate(weighted.dominance_share)))
    title = _("Defects, counted in other ways")
    return {"name": "defects", "title": title, "empty": not seen.units, "facts": facts, "notes": notes}


def _spread(seen: besides.Defects) -> str:
    if seen.deff is None:
        return _("not told from fewer than five lots")
    if seen.deff == 1:
        return _("no more than by chance")
    said = _("%(times)s times as much as by chance: %(units)s units tell as much as %(worth)s")
    worth = count(int(seen.units / seen.deff))
    return said % {"times": points(half_up(seen.deff, 1), 1), "units": count(seen.units), "worth": worth}


def ends(interval: intervals.Interval) -> str:
    """The two ends of an interval, with two decimals where the rate is small."""
    return wording.ends({"lower": interval.lower, "upper": interval.upper})


def censuses(found: Besides, evaluation: Evaluation, to_rows: Rows) -> Block:
    """Lots counted to the last unit: above the ceiling is a fact there (DEF-14)."""
    every = found.censuses
    ceiling = plain_percent(evaluation.measures["defect"]["limit"])
    above = part_of(
        ngettext("{n} of {all} lot", "{n} of {all} lots", every.total),
        to_rows(count(len(every.above)), "defect", "above"),
        to_rows(count(every.total), "defect", "census"),
    )
    named = [
        (
            inspection_url(lot),
            lot.code,
            _("%(bad)s of %(all)s units, %(rate)s")
            % {
                "bad": count(lot.critical + lot.major),
                "all": count(lot.inspected),
                "rate": rate(Fraction(lot.critical + lot.major, lot.inspected)),
            },
        )
        for lot in every.above[:MOST_NAMED]
    ]
    return {
        "name": "census",
        "title": _("Lots inspected whole"),
        "empty": not every.total,
        "facts": [(_("Above the ceiling of %(ceiling)s") % {"ceiling": ceiling}, above)],
        "notes": [_("Every unit was counted: that such a lot is above the ceiling is a fact and needs no test.")]
        if every.above
        else [],
        **listed(_("Above the ceiling"), named, len(every.above), partial(to_rows, measure="defect", part="above")),
    }


def listed(title: str, named: list[tuple[str, str, str]], total: int, to_all: Callable[..., SafeString]) -> Block:
    """Rows by name, each with a link and what is said of it; then a link to all of them."""
    more = to_all(_("See all %(n)s") % {"n": count(total)})
    return {"list_title": title, "list": named, "more": more} if named else {}


def part_of(words: str, n: SafeString, every: SafeString) -> SafeString:
    """ "5 of 12 orders", each number with its link."""
    return format_html(words, n=n, all=every)


def inspection_url(lot: Any) -> str:
    return Inspection(pk=lot.inspection_id).get_absolute_url()


def lines(n: int) -> str:
    return ngettext("%(n)s line", "%(n)s lines", n) % {"n": count(n)}


def lines_of(n: int, every: int) -> str:
    return ngettext("%(n)s of %(all)s line", "%(n)s of %(all)s lines", every) % {"n": count(n), "all": count(every)}


def in_days(value: int | Fraction | None, show: Callable[[int], str] = count) -> str:
    """ "27 days", "31.5 days"; a dash for None. `show` writes a whole number."""
    if value is None:
        return NONE
    if value.denominator != 1:
        return _("%(n)s days") % {"n": points(half_up(value, 1), 1)}
    whole = int(value)
    return ngettext("%(n)s day", "%(n)s days", abs(whole)) % {"n": show(whole)}


def signed(value: int) -> str:
    return f"+{value}" if value > 0 else f"−{-value}" if value else "0"


def rate(value: Fraction | None) -> str:
    return percent(exact(value))


def exact(value: Fraction | None) -> Any:
    return None if value is None else half_up(value, 12)
