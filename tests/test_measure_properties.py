"""What must hold for any numbers at all, beyond the worked examples of docs/metrics.md."""

import json
from dataclasses import asdict, replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from assessments import grading, intervals, measures
from assessments.judgement import digest, judge, sums_of
from assessments.models import Policy
from assessments.publication import publication
from assessments.window_sums import COUNTS, Asked, Found
from production import duedates, reconcile
from production.errors import BadInput
from production.rollup_sums import fixed, half_up

FIRST = date(2026, 3, 1)
days = st.integers(0, 45).map(lambda ahead: FIRST + timedelta(days=ahead))
ceilings = st.sampled_from([Decimal("0.01"), Decimal("0.03"), Decimal("0.05"), Decimal("0.2")])


def for_any(*strategies):
    """Run a test on many drawn values, the same ones each time."""

    def decorate(test):
        calm = settings(
            max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.filter_too_much]
        )
        return calm(given(*strategies)(test))

    return decorate


@st.composite
def counts(draw, smallest=1, largest=600):
    total = draw(st.integers(smallest, largest))
    return draw(st.integers(0, total)), total


@st.composite
def lines(draw):
    """A valid line with receipts, cancellations and revisions on any day."""
    qty = draw(st.integers(1, 200))
    cancelled = draw(st.lists(st.integers(1, qty), max_size=2).filter(lambda parts: sum(parts) <= qty))
    received = draw(st.lists(st.builds(duedates.Receipt, days, st.integers(0, 150)), max_size=4))
    causes = st.sampled_from(["buyer", "factory", "force_majeure"])
    line = duedates.Line(
        qty=qty,
        committed_on=draw(days),
        receipts=received,
        cancellations=[
            duedates.Cancellation(draw(days), part, draw(st.sampled_from(["buyer", "factory"]))) for part in cancelled
        ],
        revisions=draw(st.lists(st.builds(duedates.Revision, days, causes, st.booleans(), days), max_size=2)),
        closed_short=draw(st.booleans()),
        closed_on=draw(days),
    )
    terms = duedates.Terms(
        grace_days=draw(st.integers(0, 4)),
        grace_unit=draw(st.sampled_from(["calendar", "working"])),
        tol_under=draw(st.sampled_from([0, Decimal("0.05")])),
        early_days=draw(st.sampled_from([None, 0, 5])),
        early_policy=draw(st.sampled_from(["ok", "miss"])),
        over_policy=draw(st.sampled_from(["ok", "miss"])),
        single_delivery=draw(st.booleans()),
    )
    return line, terms


@for_any(st.fractions(-5, 5, max_denominator=7000), st.integers(0, 13))
def test_a_number_in_digits_is_the_rounded_one(value, places):
    assert fixed(value, places) == format(half_up(value, places), "f")


# Delivery


@for_any(lines(), days)
def test_what_happens_later_is_unknown_today(case, as_of):
    line, terms = case
    known = replace(
        line,
        receipts=[receipt for receipt in line.receipts if receipt.on <= as_of],
        cancellations=[cancellation for cancellation in line.cancellations if cancellation.on <= as_of],
        revisions=[revision for revision in line.revisions if revision.approved_on <= as_of],
        closed_short=line.closed_short and line.closed_on <= as_of,
    )
    assert duedates.judge_line(line, terms, as_of) == duedates.judge_line(known, terms, as_of)


@for_any(lines(), days)
def test_a_line_keeps_the_bounds(case, as_of):
    outcome = duedates.judge_line(*case, as_of)
    if outcome.counted:
        assert 0 <= outcome.on_time_qty <= outcome.qty_due
        assert outcome.days_late >= 0
        assert outcome.otif == (outcome.reasons == ())
        assert outcome.otd or not outcome.otif
        assert not (outcome.open_overdue and outcome.otd)


@for_any(lines(), days, st.integers(1, 150), st.integers(1, 30))
def test_a_delivery_after_the_limit_day_changes_no_otif(case, as_of, qty, later):
    line, terms = case
    before = duedates.judge_line(line, terms, as_of)
    assume(before.counted and before.limit + timedelta(days=later) <= as_of)
    extra = duedates.Receipt(before.limit + timedelta(days=later), qty)
    after = duedates.judge_line(replace(line, receipts=[*line.receipts, extra]), terms, as_of)
    assert after.otif == before.otif
    assert after.on_time_qty == before.on_time_qty


@for_any(st.lists(lines(), max_size=5), days, st.integers(1, 200))
def test_a_line_that_never_arrives_raises_no_rate(cases, as_of, qty):
    outcomes = [duedates.judge_line(*case, as_of) for case in cases]
    missing = duedates.judge_line(duedates.Line(qty=qty, committed_on=as_of), duedates.Terms(), as_of)
    before = measures.delivery(measures.delivery_sums(outcomes), as_of)
    after = measures.delivery(measures.delivery_sums([*outcomes, missing]), as_of)
    for name in ("otif_rate", "otd_rate", "qty_rate"):
        assert getattr(after, name) <= (getattr(before, name) or 0) or getattr(before, name) is None
        assert 0 <= getattr(after, name) <= 1
    assert after.includes_open == before.includes_open + 1


def test_without_lines_there_is_no_rate_and_no_average():
    nothing = measures.delivery(measures.delivery_sums([]), FIRST)
    assert (nothing.otif_rate, nothing.qty_rate, nothing.avg_days_late_all) == (None, None, None)


# Defects


@for_any(counts(), ceilings)
def test_a_defective_unit_never_helps_and_a_good_one_never_hurts(count, ceiling):
    bad, n = count
    now = measures.judge_defects(bad, n, ceiling)
    worse = measures.judge_defects(bad + 1, n + 1, ceiling)
    better = measures.judge_defects(bad, n + 1, ceiling)
    assert worse.rate >= now.rate >= better.rate
    assert worse.p_value <= now.p_value + 1e-12


@for_any(counts(smallest=2), st.data())
def test_splitting_a_lot_leaves_the_unit_weighted_rate(count, data):
    bad, n = count
    left = data.draw(st.integers(0, n))
    left_bad = data.draw(st.integers(max(0, bad - (n - left)), min(bad, left)))
    whole = measures.weigh([measures.InspectedLot("A", n, bad)])
    parts = [measures.InspectedLot("A", left, left_bad), measures.InspectedLot("B", n - left, bad - left_bad)]
    split = measures.weigh(parts)
    assert whole.unit_weighted == split.unit_weighted
    assert 0 <= split.lot_weighted <= 1


@for_any(counts(), ceilings, st.sampled_from(["0.05", "0.01", "0.001"]), st.integers(2, 5))
def test_a_breach_is_above_the_ceiling_and_stands_with_more_of_the_same(count, ceiling, alpha, times):
    bad, n = count
    measure = measures.judge_defects(bad, n, ceiling, Decimal(alpha))
    if measure.status == measures.BREACH:
        assert measure.badness > ceiling
        assert measures.judge_defects(bad * times, n * times, ceiling, Decimal(alpha)).status == measures.BREACH
        assert measures.judge_defects(bad, n, ceiling, Decimal("0.2")).status == measures.BREACH
    else:
        strict = measures.judge_defects(bad, n, ceiling, Decimal(alpha) / 10)
        assert strict.status == measure.status, "a lower alpha never makes a breach"


@for_any(counts(), ceilings)
def test_the_exact_tail_and_the_guaranteed_interval_say_the_same(count, ceiling):
    bad, n = count
    p_value = intervals.tail_probability(bad, n, ceiling)
    lower = intervals.clopper_pearson(bad, n).lower
    assume(abs(lower - float(ceiling)) > 1e-9)
    assert (p_value <= 0.05) == (lower >= ceiling)


@for_any(counts())
def test_the_interval_holds_the_rate(count):
    bad, n = count
    limits = intervals.wilson(bad, n)
    assert 0 <= limits.lower <= bad / n + 1e-12 <= limits.upper + 2e-12 <= 1 + 3e-12


def test_a_tie_between_p_value_and_alpha_is_decided_exactly():
    assert intervals.proves(1, 1, Decimal("0.05"), Decimal("0.05"), 0.05)
    assert intervals.proves(1, 1, Decimal("0.05"), Decimal("0.05"), 0.05 + 1e-16)
    assert not intervals.proves(2, 3, Decimal("0.5"), Decimal("0.4999999999"), 0.5)


# Points and grades

MARKS = st.sampled_from(
    [grading.Marks(Decimal(a), Decimal(b), Decimal(c)) for a, b, c in [
        ("0.01", "0.03", "0.06"), ("0.01", "0.05", "0.10"), ("0.98", "0.90", "0.70")]]
)  # fmt: skip
rates = st.fractions(0, 1, max_denominator=2000)


@for_any(MARKS, rates, rates)
def test_points_never_rise_with_badness(marks, one, other):
    falling = marks.zero > marks.target
    good, bad = sorted([one, other], reverse=not falling)
    assert 0 <= grading.points(bad, marks) <= grading.points(good, marks) <= 100


@for_any(MARKS)
def test_points_are_continuous_and_60_at_the_limit(marks):
    assert grading.points(marks.limit, marks) == 60
    step = Fraction(1, 10**9)
    for edge, value in ((marks.target, 100), (marks.limit, 60), (marks.zero, 0)):
        for near in (Fraction(edge) - step, Fraction(edge) + step):
            assert abs(grading.points(near, marks) - value) < Fraction(1, 10**4)


@for_any(st.dictionaries(st.sampled_from(["defect", "otd", "loss"]), rates, min_size=2), st.data())
def test_the_parts_shown_add_up_to_the_score_shown(values, data):
    weights = {metric: data.draw(st.integers(1, 100)) for metric in values}
    marks = {metric: grading.Marks(Decimal("0.01"), Decimal("0.3"), Decimal("0.9")) for metric in values}
    card = grading.weigh(grading.scored(values, marks), grading.applicable(weights, values), required=())
    assert sum(part.shown for part in card.parts) == card.score
    for part in card.parts:
        assert abs(part.weight * part.points - Fraction(part.shown)) < Fraction(1, 100)


# Material

quantities = st.decimals(0, 1000, places=3)
prices = st.decimals(0, 100, places=2)


@for_any(quantities, quantities, st.sampled_from(reconcile.BASES), prices, quantities, prices)
def test_a_charge_is_never_negative_and_only_for_what_exceeds_the_allowance(out, used, base, cost, scrap, salvage):
    result = reconcile.reconcile(reconcile.Supply(out, 0, used, Decimal("0.03"), base, cost, 0, 0, scrap, salvage))
    if result.applicable:
        assert result.charge >= 0
        assert result.liable == (result.loss > result.allowed)
        assert result.liable or result.charge == 0


@for_any(quantities, quantities, quantities, prices, quantities)
def test_a_larger_loss_never_costs_less(out, used, more, cost, scrap):
    assume(out > 0)
    supply = reconcile.Supply(out, 0, used, Decimal("0.03"), unit_cost=cost, scrap_returned=scrap, salvage_unit=cost)
    larger = replace(supply, issued=out + more)
    assert reconcile.reconcile(larger).charge_exact >= reconcile.reconcile(supply).charge_exact


@for_any(quantities, quantities, st.sampled_from(["yd", "cm", "ft"]), prices)
def test_the_unit_of_measure_changes_neither_rate_nor_charge(out, used, unit, cost):
    assume(out > 0)
    one = reconcile.convert(1, unit, "m")
    metres = reconcile.Supply(
        reconcile.convert(out, unit, "m"), 0, reconcile.convert(used, unit, "m"), Decimal("0.03"), unit_cost=cost
    )
    entered = reconcile.Supply(out, 0, used, Decimal("0.03"), unit_cost=Fraction(cost) * one)
    a, b = reconcile.reconcile(metres), reconcile.reconcile(entered)
    assert (a.rate, a.charge) == (b.rate, b.charge)


def test_fabric_in_kilograms_and_yards_becomes_exact_metres():
    assert reconcile.metres_of_fabric(300, 180, Decimal("1.6")) == Fraction(3125, 3)
    assert reconcile.metres_of_fabric(5, 180, Decimal("1.6")) == Fraction(625, 36)
    assert reconcile.consumption(reconcile.convert(Decimal("1.5"), "yd", "m"), 500) == Fraction("685.8")
    assert reconcile.consumption(Decimal("2.0"), 460, rejected_material_fault=20) == 960
    with pytest.raises(BadInput):
        reconcile.convert(1, "kg", "m")


def test_a_yen_has_no_decimals_and_a_dinar_three():
    assert str(reconcile.settle(Fraction("12.345"), 1, "JPY")) == "12"
    assert str(reconcile.settle(Fraction("12.345"), 1, "KWD")) == "12.345"


@pytest.mark.parametrize(
    "orders, loss, status", [(0, 0, "no_data"), (1, 31, "watch"), (2, 31, "breach"), (2, 30, "ok")]
)
def test_loss_is_a_breach_from_two_closed_orders_on(orders, loss, status):
    assert reconcile.judge_loss(loss, 1000 if orders else 0, orders, Decimal("0.03")).status == status


scores = st.integers(0, 10_000).map(lambda cents: Decimal(cents) / 100)
grades = st.sampled_from(grading.GRADES)


def carded(score, caps):
    """The scorecard of a score under some caps."""
    ungated = grading.grade(score)
    raw = min([ungated, *caps], key=grading.GRADES.index)
    gates = tuple(grading.Gate("of the test", cap) for cap in caps)
    return grading.Scorecard(score, ungated, raw, gated=raw != ungated, gates=gates)


@for_any(scores, st.lists(grades, max_size=2), grades, grades)
def test_no_grade_is_published_above_a_cap_of_its_month(score, caps, before, raw_before):
    last = {"published_grade": before, "raw_grade": raw_before, "is_carried": False}
    published, _ = publication(carded(score, caps), Policy(), [last])
    assert all(grading.GRADES.index(published) <= grading.GRADES.index(cap) for cap in caps)


@pytest.mark.parametrize(
    ("score", "caps", "published"),
    [
        ("79.20", [], "good"),  # held
        ("79.20", ["passing"], "passing"),  # raw is passing without the gate, too; the grade before is above it
        ("79.20", ["good"], "good"),  # what the gate allows is held
        ("77.90", ["good"], "passing"),
    ],
)
def test_a_cap_that_lowers_nothing_still_forbids_to_hold_a_better_grade(score, caps, published):
    last = {"published_grade": "good", "raw_grade": "good", "is_carried": False}
    assert publication(carded(Decimal(score), caps), Policy(), [last]) == (published, False)


amounts = st.integers(0, 10**7).map(lambda digits: Decimal(digits) / 1000)


@st.composite
def windows_found(draw):
    """The sums of a window such as the database may hold them, in up to two currencies."""
    inspected, bad = draw(st.integers(0, 5000)), draw(st.integers(0, 300))
    lines, on_time = draw(st.integers(0, 400)), draw(st.integers(0, 400))
    lots = draw(st.integers(1, 40)) if inspected else 0
    counts = dict.fromkeys(COUNTS, 0) | {
        "units_inspected": inspected, "units_major": min(bad, inspected), "lots": lots, "lots_accepted": lots,
        "units_critical": 0, "s2": Decimal(min(bad, inspected) ** 2) / max(inspected, 1), "sum_q": draw(amounts),
        "sum_q_rate": Decimal(0), "lines": lines, "otif": min(on_time, lines), "otd": min(on_time, lines),
        "qty_due": draw(amounts), "qty_delivered": draw(amounts),
        "lots_with_critical": draw(st.sampled_from([0, 0, 0, 1, 2])) if lots > 1 else 0,
    }  # fmt: skip
    money = []
    for currency in draw(st.sampled_from([[], ["USD"], ["JPY", "USD"]])):
        net = draw(amounts)
        lost = net * draw(st.integers(0, 100)) / 100  # no more than was issued
        money.append(
            {"currency": currency, "orders": draw(st.integers(1, 9)), "value_net": net, "value_loss_pos": lost,
             "value_loss_neg": -draw(amounts), "charge": lost / 2}
        )  # fmt: skip
    return Found(counts, money, draw(st.integers(0, inspected)))


@for_any(windows_found(), st.booleans(), st.sampled_from([[], ["defect:TOYS"]]))
def test_what_was_stored_computes_again_bit_for_bit(found, supplied, gating):
    asked = Asked(1, None, FIRST, FIRST + timedelta(days=89), FIRST + timedelta(days=88))

    def judged(sums):
        return judge(sums, Policy(), None, Decimal("0.05"), asked.last, supplied, gating)

    once = judged(sums_of(asked, found))
    stored = json.loads(json.dumps(asdict(once) | {"score": None}))
    again = judged(stored["sums"])
    assert json.dumps(asdict(again) | {"score": None}) == json.dumps(stored)
    assert again.score == once.score
    assert digest(again, 1, "month", 90) == digest(once, 1, "month", 90)
