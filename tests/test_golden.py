"""Every worked example of docs/metrics.md, and any other file of cases in the same form (set GOLDEN_CASES to its path).

A case names its rule, gives inputs, and says what must come out. Here inputs are only read and results only renamed;
whatever is computed is computed by the rule modules.
"""

import json
import os
import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from assessments import control, grading, intervals, measures, windows
from production import duedates, quantiles, reconcile, sampling, schedule
from production.errors import BadInput
from tests.buckets import Buckets

OWN_CASES = Path(__file__).parent / "golden" / "metrics.json"
CASES = json.loads(Path(os.environ.get("GOLDEN_CASES") or OWN_CASES).read_text(encoding="utf-8"), parse_float=Decimal)
DEFAULT_TOLERANCE = Decimal("1e-9")
IN_THE_DATABASE = "ROL-1..ROL-4"

RULES: dict[str, Callable[[dict], dict]] = {}


def rule(*labels):
    """Register the function that answers cases with these labels."""

    def register(function):
        RULES.update(dict.fromkeys(labels, function))
        return function

    return register


def as_parameter(case):
    return pytest.param(case, id=case["id"], marks=[pytest.mark.django_db] if case["rule"] == IN_THE_DATABASE else [])


@pytest.mark.parametrize("case", [as_parameter(case) for case in CASES["cases"]])
def test_rule_gives_what_the_example_says(case):
    if case["rule"] not in RULES:
        pytest.fail(f"rule not built: {case['rule']}", pytrace=False)
    expected = case["expected"]
    if "error" in expected:
        with pytest.raises(BadInput) as raised:
            RULES[case["rule"]](case["inputs"])
        assert raised.value.code == expected["error"]
        return
    result = RULES[case["rule"]](case["inputs"])
    for name, value in expected.items():
        assert name in result, f"the result has no {name}: {result}"
        compare(value, result[name], case.get("tolerance", DEFAULT_TOLERANCE), name)


def compare(expected, result, tolerance, where):
    """Words, days, flags and whole numbers exactly; other numbers within the tolerance; nothing is only nothing."""
    if expected is None or isinstance(expected, bool):
        assert result is expected, f"{where}: {result!r} is not {expected!r}"
    elif isinstance(expected, int | float | Decimal):
        assert isinstance(result, int | float | Decimal | Fraction), f"{where}: {result!r} is not {expected}"
        assert not isinstance(result, bool), f"{where}: {result!r} is not {expected}"
        exact = isinstance(expected, int) and isinstance(result, int)
        near = Fraction(0) if exact else Fraction(tolerance)
        assert abs(Fraction(result) - Fraction(expected)) <= near, f"{where}: {float(result)} is not {expected}"
    elif isinstance(expected, dict):
        assert isinstance(result, dict), f"{where}: {result!r} is not {expected}"
        assert result.keys() == expected.keys(), f"{where}: {sorted(result)} are not {sorted(expected)}"
        for name, value in expected.items():
            compare(value, result[name], tolerance, f"{where}.{name}")
    elif isinstance(expected, list):
        got = sorted(result) if isinstance(result, set) else list(result)
        wanted = sorted(expected) if isinstance(result, set) else expected
        assert len(got) == len(wanted), f"{where}: {got} is not {wanted}"
        for place, value in enumerate(wanted):
            compare(value, got[place], tolerance, f"{where}[{place}]")
    else:
        assert text(result) == expected, f"{where}: {result!r} is not {expected!r}"


def text(value):
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, str | Decimal | Fraction) else value


# Reading inputs


def number(value):
    """An exact number from 12, "12.50", "3125/3" or a JSON decimal; whole ones as int."""
    exact = Fraction(value)
    return int(exact) if exact.denominator == 1 else exact


def numbers(inputs, *names):
    """The named inputs that are there, as exact numbers."""
    return {name: number(inputs[name]) for name in names if inputs.get(name) is not None}


def day(value):
    return date.fromisoformat(value) if value else None


def pairs(lots):
    return [(number(bad), number(total)) for bad, total in lots]


def fields(result, *names):
    return {name: getattr(result, name) for name in names}


# Defects


@rule("DEF-9..DEF-11", "DEF-12")
def defect_rate(inputs):
    given = numbers(inputs, "ceiling", "alpha", "min_units_confirm")
    if "lots" in inputs:
        sums = measures.spread(pairs(inputs["lots"]))
        given |= {"lots": sums.lots, "s2": sums.s2}
    measure = measures.judge_defects(number(inputs["defective"]), number(inputs["inspected"]), **given)
    return fields(measure, "rate", "status", "p_value", "deff", "n_eff", "wilson_lower_eff", "sufficient") | {
        "wilson_lower": measure.wilson and measure.wilson.lower,
        "wilson_upper": measure.wilson and measure.wilson.upper,
    }


@rule("DEF-3", "DEF-1,DEF-2", "DEF-2")
def classes(inputs):
    given = numbers(inputs, "inspected", "critical", "major", "minor", "lot_qty")
    if "counted_classes" in inputs:
        given["counted"] = inputs["counted_classes"]
    return fields(measures.class_rates(**given), "rate", "rate_all_classes", "critical_gate")


@rule("DEF-5,DEF-6")
def weighted(inputs):
    lots = [
        measures.InspectedLot(lot["id"], **numbers(lot, "inspected", "defective", "delivered"))
        for lot in inputs["lots"]
    ]
    names = ("unit_weighted", "lot_weighted", "quantity_weighted", "dominant_lot", "dominance_share", "dominance")
    return fields(measures.weigh(lots), *names)


@rule("DEF-4")
def counted_inspection(inputs):
    rows = [
        sampling.Inspection(
            original=row["original"],
            **numbers(row, "seq", "inspected", "defective"),
            **{name: row[name] for name in ("source", "stage") if row.get(name)},
        )
        for row in inputs["inspections"]
    ]
    counted, last = sampling.counted_inspection(rows), sampling.releasing_inspection(rows)
    return {
        "rate": counted and measures.class_rates(counted.inspected, 0, counted.defective, 0).rate,
        "inspected": counted and counted.inspected,
        "final_verdict_from_seq": last and last.seq,
    }


@rule("DEF-7")
def ppm(inputs):
    return {"ppm": measures.ppm(number(inputs["defective"]), number(inputs["inspected"]))}


@rule("DEF-8")
def coverage(inputs):
    names = ("delivered_inspected_lots", "delivered_uninspected_lots", "min_coverage")
    share, low = measures.coverage(*(number(inputs[name]) for name in names if name in inputs))
    return {"coverage": share, "low_coverage": low}


@rule("DEF-9")
def interval(inputs):
    bad, total, level = (number(inputs[name]) for name in ("defective", "inspected", "confidence_one_sided"))
    found = {
        "wilson": intervals.wilson(bad, total, intervals.z_of(level)),
        "clopper_pearson": intervals.clopper_pearson(bad, total, level),
    }
    return {name: limits and [limits.lower, limits.upper] for name, limits in found.items()}


@rule("DEF-13")
def shrinkage(inputs):
    names = ("defective", "inspected", "prior_a", "prior_b", "ceiling")
    return fields(intervals.shrink(*(number(inputs[name]) for name in names)), "posterior_mean", "p_above_ceiling")


# Sampling


def sampling_plan(inputs):
    given = {name: inputs[name] for name in ("level", "severity") if name in inputs}
    return sampling.plan(number(inputs["lot_qty"]), number(inputs["aql"]), **given)


@rule("AQL-1..AQL-3", "AQL-1")
def plan(inputs):
    found = sampling_plan(inputs)
    return fields(found, "code", "plan_code", "n", "ac", "re", "full_inspection")


@rule("AQL-4")
def verdict(inputs):
    found = sampling_plan(inputs)
    counts = number(inputs["actual_sample"]), number(inputs["defective"])
    return {
        "plan_sample": found.n,
        "ac": found.ac,
        "re": found.re,
        "verdict": sampling.verdict(found, *counts, lot_qty=number(inputs["lot_qty"])),
        "rate_num": counts[1],
        "rate_den": counts[0],
    }


@rule("AQL-5")
def switching(inputs):
    lots = [sampling.JudgedLot(lot["accepted"], lot["ac"], lot["accept_if_tighter"]) for lot in inputs["lots"]]
    given = {name: inputs[name] for name in ("start", "reduced_allowed") if name in inputs}
    result = sampling.switch(lots, **given)
    return {
        "state_for_next_lot": result.states,
        "switching_score": result.scores,
        "reduced_eligible_after": result.reduced_eligible_after,
    }


# Delivery


def judged_line(line, as_of):
    calendar = line.get("calendar") or {}
    given = {name: frozenset(map(day, calendar[name])) for name in ("holidays", "workdays") if calendar.get(name)}
    if calendar.get("weekend") is not None:
        given["weekend"] = frozenset(calendar["weekend"])
    words = ("grace_unit", "early_policy", "over_policy", "single_delivery", "due_roll")
    terms = duedates.Terms(
        **numbers(line, "grace_days", "tol_under", "tol_over", "early_days"),
        **{name: line[name] for name in words if line.get(name) is not None},
    )
    zone = line.get("tz") or "UTC"
    facts = duedates.Line(
        qty=number(line["qty"]),
        committed_on=day(line.get("committed_date")),
        requested_on=day(line.get("requested_date")),
        receipts=[duedates.Receipt(received_on(row, zone), number(row["qty"])) for row in line.get("receipts") or ()],
        cancellations=[
            duedates.Cancellation(day(row["date"]), number(row["qty"]), row["by"])
            for row in line.get("cancellations") or ()
        ],
        revisions=[
            duedates.Revision(day(row["date"]), row["cause"], row["approved"], day(row.get("approved_on")))
            for row in line.get("revisions") or ()
        ],
        closed_short=line.get("status") == "closed_short",
        closed_on=day(line.get("closed_on")),
    )
    return duedates.judge_line(facts, terms, day(as_of), duedates.Calendar(**given))


def received_on(receipt, zone):
    if receipt.get("at"):
        return duedates.local_date(datetime.fromisoformat(receipt["at"]), zone)
    return day(receipt["date"])


@rule(*(f"OTD-{number}" for number in range(1, 15)))
def line_outcome(inputs):
    names = "measurable due limit matured excluded otif otd on_time_qty qty_due days_late open_overdue early over"
    return fields(judged_line(inputs["line"], inputs["as_of"]), *names.split(), "reasons")


@rule("OTD-7,OTD-15")
def portfolio(inputs):
    outcomes = [judged_line(line, inputs["as_of"]) for line in inputs["lines"]]
    sums = measures.delivery_sums(outcomes)
    result = measures.delivery(sums, day(inputs["as_of"]))
    names = "lines otif otd otif_rate otd_rate qty_rate avg_days_late_when_late avg_days_late_all includes_open"
    return fields(result, *names.split()) | {
        "open_overdue": result.includes_open,
        "trap_received_only_rate": result.received_only_rate,
    }


@rule("OTD-16")
def order(inputs):
    outcomes = [judged_line(line, inputs["as_of"]) for line in inputs["order_lines"]]
    return fields(measures.order_outcome(outcomes), "order_otif", "line_otif", "lines", "qty_rate")


@rule("OTD-17")
def cycle(inputs):
    return fields(quantiles.cycle([number(days) for days in inputs["lead_days"]]), "p50", "p80", "p90", "mean", "max")


@rule("OTD-18")
def censored(inputs):
    rows = [quantiles.Observed(number(row["days"]), row["completed"]) for row in inputs["observations"]]
    completed = [row.days for row in rows if row.completed]
    return {
        "km_p50": quantiles.kaplan_meier(rows, Fraction("0.5")),
        "km_p80": quantiles.kaplan_meier(rows, Fraction("0.8")),
        "km_p90": quantiles.kaplan_meier(rows, Fraction("0.9")),
        "naive_completed_only_p50": quantiles.nearest_rank(completed, Fraction("0.5")),
    }


@rule("OTD-19")
def delivery_status(inputs):
    late, lines, floor = (number(inputs[name]) for name in ("late_lines", "lines", "otd_floor"))
    given = numbers(inputs, "alpha", "min_lines_confirm")
    return fields(measures.judge_delivery(late, lines, floor, **given), "rate", "p_value", "status", "sufficient")


# Material


def supply(row):
    names = ("issued", "returned", "theoretical", "allowance", "unit_cost", "transfer_in", "transfer_out")
    given = {"returned": 0, "theoretical": 0, "allowance": number("0.03")}
    given |= numbers(row, *names, "scrap_returned", "salvage_unit")
    return reconcile.Supply(**given, base=row.get("base") or reconcile.NET_ISSUED)


@rule("MAT-1..MAT-5", "MAT-2", "MAT-5", "MAT-6", "MAT-7", "MAT-8")
def reconciliation(inputs):
    result = reconcile.reconcile(supply(inputs))
    if not result.applicable:
        return {"status": reconcile.NOT_APPLICABLE}
    return fields(result, "net", "loss", "rate", "allowed", "excess", "charge", "liable", "negative_loss")


@rule("MAT-9")
def projection(inputs):
    given = {"returned": 0} | numbers(inputs, "issued", "returned", "allowance", "transfer_in", "transfer_out")
    line = reconcile.Need(
        number(inputs["bom_per_unit"]), number(inputs["received_units"]), number(inputs["open_units"])
    )
    result = reconcile.project(**given, needs=[line], base=inputs.get("base") or reconcile.NET_ISSUED)
    return fields(result, "provisional", "projected_loss", "projected_rate", "status", "liable")


@rule("MAT-10")
def settlement(inputs):
    charge = reconcile.price(number(inputs["excess"]), number(inputs["unit_cost"]))
    return {
        "charge_cost_currency": reconcile.settle(charge, 1, inputs["cost_currency"]),
        "charge_settlement": reconcile.settle(charge, number(inputs["fx_rate"]), inputs["fx_to"]),
    }


@rule("MAT-11")
def factory_loss(inputs):
    common = {name: inputs[name] for name in ("allowance", "base") if name in inputs}
    result = reconcile.factory_loss([(row["name"], supply(common | row)) for row in inputs["materials"]])
    return fields(result, "charges", "total_charge", "negative_loss") | {"value_rate": result.rate}


# Score, grade, policy, windows


def marks(row):
    return grading.Marks(**numbers(row, "target", "limit", "zero"))


@rule("SCO-1")
def points(inputs):
    return {"score": grading.points(number(inputs["value"]), marks(inputs))}


@rule("SCO-2..SCO-5")
def scorecard(inputs):
    words = (None, grading.NOT_APPLICABLE, grading.INSUFFICIENT)
    weights = {name: number(weight) for name, weight in inputs["weights"].items()}
    given = {name: inputs["values"].get(name) for name in weights}
    values = {name: value if value in words else number(value) for name, value in given.items()}
    result = grading.weigh(
        grading.scored(values, {name: marks(row) for name, row in inputs["policy"].items()}),
        grading.applicable(weights, values),
        hits=[grading.Gate(label, cap) for label, cap in inputs.get("gates") or ()],
        **({"required": inputs["required"]} if "required" in inputs else {}),
    )
    return fields(result, "score", "ungated", "raw", "gated")


@rule("SCO-4")
def grade(inputs):
    return {"grade": grading.grade(number(inputs["score"]))}


@rule("SCO-6")
def hysteresis(inputs):
    result = grading.publish(
        inputs["previous_published"],
        inputs["raw"],
        number(inputs["score"]),
        inputs["gated"],
        inputs["previous_raw"],
        **numbers(inputs, "margin"),
    )
    return fields(result, "published", "held")


@rule("SCO-7")
def window_choice(inputs):
    rows = [
        windows.WindowData(row["days"], (number(row["inspected"]), number(row["lots"]))) for row in inputs["windows"]
    ]
    minimums = tuple(number(inputs[name]) for name in ("min_units", "min_lots"))
    return fields(windows.choose(rows, minimums), "window_used", "flag", "status")


@rule("SCO-8")
def policy(inputs):
    if "queries" in inputs:
        versions = [
            grading.PolicyVersion(row["id"], day(row["from_"]), **scope(row["scope"])) for row in inputs["policies"]
        ]
        found = [
            grading.select_policy(
                versions, day(query["date"]), str(query["factory"]), query["category"], inputs["scope_order"]
            )
            for query in inputs["queries"]
        ]
        return {"selected": [version and version.id for version in found]}
    rows = {row["id"]: row for row in inputs["policies"]}
    versions = [grading.PolicyVersion(row["id"], day(row["effective_from"])) for row in inputs["policies"]]
    chosen = {on: grading.select_policy(versions, day(on)) for on in inputs["evaluations"]}
    value = number(inputs["value"])
    return {
        "policy": {on: version and version.id for on, version in chosen.items()},
        "scores": {on: version and grading.points(value, marks(rows[version.id])) for on, version in chosen.items()},
    }


def scope(words):
    """default, factory:7, category:shoes, factory:7+category:shoes or factory+category:7:shoes."""
    if words.startswith("factory+category:"):
        return dict(zip(("factory", "category"), re.split(r"[:+,|/]", words)[2:], strict=True))
    return dict(re.findall(r"(factory|category):([^+,|/]+)", words))


@rule("SCO-9")
def carried(inputs):
    last, series = grading.Publication(inputs["previous_published"]), []
    for raw in inputs["evaluations"]:
        if raw == grading.INSUFFICIENT_DATA:
            last = grading.carry(last.published, last.carries, **numbers(inputs, "carry_max"))
        else:
            last = grading.publish(None, raw, score=0)
        series.append(last)
    return {"published": [step.published for step in series], "carried": [step.carried for step in series]}


@rule("G-4")
def rolling(inputs):
    as_of = day(inputs["as_of"])
    return {"first_day": {str(days): windows.rolling(as_of, days).first for days in inputs["days"]}}


# Charts and trends


def same(values):
    """One limit where all lots share it, else a list."""
    return values[0] if len(set(values)) == 1 else list(values) or None


@rule("SPC-1")
def p_chart(inputs):
    return fields(control.p_chart(pairs(inputs["lots"])), "p_bar", "ucl", "lcl", "out")


@rule("SPC-2")
def laney_chart(inputs):
    chart = control.laney_chart(pairs(inputs["lots"]))
    return fields(chart, "p_bar", "sigma_z", "out_p") | {
        "ucl_p": same(chart.ucl_p),
        "ucl_laney": same(chart.ucl),
        "out_laney": chart.out,
    }


@rule("SPC-3")
def ewma(inputs):
    p0, lam, width = (float(number(inputs[name])) for name in ("p0", "lam", "L"))
    chart = control.ewma(pairs(inputs["lots"]), p0, lam, width)
    return fields(chart, "z", "ewma", "limit", "signal_at", "pchart_signal_at")


@rule("SPC-4")
def cusum(inputs):
    p0, k, h = (float(number(inputs[name])) for name in ("p0", "k", "h"))
    return fields(control.cusum(pairs(inputs["lots"]), p0, k, h), "cusum", "signal_at")


@rule("SPC-5")
def trend(inputs):
    (current,), (previous,) = pairs([inputs["current"]]), pairs([inputs["previous"]])
    return fields(control.trend(current, previous, float(number(inputs["z_crit"]))), "z", "arrow")


@rule("SPC-6")
def mann_kendall(inputs):
    result = control.mann_kendall([number(value) for value in inputs["series"]])
    return fields(result, "var", "z", "p_two_sided") | {"S": result.s}


# Production cycle


@rule("CYC-3")
def forward_pass(inputs):
    milestones = [
        schedule.Milestone(
            row["id"],
            day(row["planned"]),
            tuple(row.get("preds") or ()),
            day(row.get("forecast")),
            day(row.get("actual")),
        )
        for row in inputs["milestones"]
    ]
    result = schedule.forward(milestones, day(inputs["as_of"]))
    return fields(result, "critical_path", "finish_slip_days") | {
        "projected": {name: projected.on for name, projected in result.projected.items()},
        "binding": {name: projected.binding for name, projected in result.projected.items()},
    }


def histories(inputs):
    elapsed = inputs.get("elapsed_slip")
    own, pool = ([number(slip) for slip in inputs[name]] for name in ("factory_history", "pool_history"))
    return own, pool, None if elapsed is None else number(elapsed), number(inputs["kappa"])


@rule("CYC-5")
def late_risk(inputs):
    own, pool, elapsed, kappa = histories(inputs)
    risk = schedule.late_risk(own, pool, number(inputs["slack_days"]), elapsed, kappa)
    return {"p_late": risk, "fraction": risk}


@rule("CYC-6")
def slip_quantile(inputs):
    own, pool, elapsed, kappa = histories(inputs)
    return {"slip_days": schedule.slip_quantile(own, pool, number(inputs["q"]), elapsed, kappa)}


@rule("CYC-8")
def back_test(inputs):
    if "p" in inputs:
        result = schedule.brier([number(chance) for chance in inputs["p"]], inputs["late"])
        return fields(result, "brier", "brier_base_rate", "skill")
    series = ([number(value) for value in inputs[name]] for name in ("forecast", "actual"))
    result = schedule.pinball(number(inputs["quantile"]), *series)
    return {"pinball": result.losses} | fields(result, "mean", "coverage")


# Daily sums


@rule(IN_THE_DATABASE)
def daily_sums(inputs):
    buckets = Buckets()
    for event in inputs["events"]:
        buckets.insert(event)
    buckets.rebuilt()
    before, dirty = buckets.shown(), set()
    for operation in inputs["operations"]:
        buckets.carry_out(operation)
        dirty |= buckets.rebuilt()
    return {"rollup_before": before, "dirty": dirty, "rollup_after": buckets.shown()}


@rule("ROL-5")
def open_delay(inputs):
    result = quantiles.open_delay([day(due) for due in inputs["open_due_dates"]], day(inputs["as_of"]))
    return fields(result, "open_count", "due_ordinal_sum", "total_days_late")


@rule("ROL-6")
def merged_histograms(inputs):
    merged = quantiles.merge_histograms(
        {int(days): count for days, count in histogram.items()} for histogram in inputs["day_histograms"]
    )
    return {"quantiles": [quantiles.histogram_quantile(merged, number(q)) for q in inputs["q"]]}
