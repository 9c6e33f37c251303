"""Factories side by side: each figure with the rows behind it, the ranking, who may see them, and what they cost."""

import csv
import io
import re
from fractions import Fraction

import pgtrigger
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from openpyxl import load_workbook

from assessments import comparison, control, early_warning, intervals
from assessments.charts import heat_class
from assessments.compared import COMPARED
from assessments.comparison import Shares
from assessments.figures import NONE
from assessments.models import Breach, Evaluation, Policy
from assessments.views import compare_one, compare_words
from assessments.windows import closed_month
from factories.models import Factory, Standing
from production import rollups
from production.models import DeliveryOutcome, FactoryDay, Inspection, LineOutcome, LotOutcome, MaterialOutcome
from tests import judged, make


@pytest.fixture
def sign_in(client):
    def start(role, **fields):
        person = make.user(role, **fields)
        client.force_login(person)
        return person

    return start


def given_material(factory, lost=10, currency="USD"):
    """A closed order that was given 110 m for 100 units of 1 m, of which `lost` m are gone."""
    order = make.order(factory=factory, currency=currency)
    product = make.product(category=factory.category)
    cloth = make.material()
    bill = make.bill(product=product, per_unit={cloth: 1})
    line = make.line(100, order=order, product=product, bill=bill, committed_on=judged.ago(50))
    supplied = make.order_material(order=order, material=cloth, currency=currency)
    make.material_movement(100 + lost, order_material=supplied, moved_on=judged.ago(70))
    make.delivery(100, line=line, received_on=judged.ago(51))
    order.closed_on = judged.ago(40)
    order.save()


@pytest.fixture
def company(db):
    """Three factories in one category that lose, miss and deliver, one with too little to say, one without anything."""
    goods = make.category(name="Knitwear")
    made = [
        judged.factory("GOOD-1", lines=30, lots=20, inspected=200, category=goods),
        judged.factory("LATE-1", lines=30, late=12, lots=8, defective=1, category=goods),
        judged.factory("BAD-1", lines=30, late=3, lots=20, defective=9, inspected=200, category=goods, country="CN"),
        judged.factory("FEW-1", lines=2, late=1, lots=1, defective=1, inspected=5, category=goods),
        make.factory(code="NONE-1", category=goods),
    ]
    for factory in made[:3]:
        given_material(factory)
    judged.judge(months=1)
    return made


def queries(client, url):
    with CaptureQueriesContext(connection) as found:
        assert client.get(url).status_code == 200
    return len(found)


def cells(page):
    return [cell for row in page.context["rows"] for cell in row["cells"] if cell["css"] != "nil"]


def codes(page):
    return [row["factory"].code for row in page.context["rows"]]


# The heatmap


@pytest.mark.parametrize("measure", ["otif", "defect", "loss"])
def test_every_figure_is_the_share_of_the_rows_it_leads_to_and_counts_as_many(client, sign_in, company, measure):
    sign_in("manager")
    last = judged.ago(1)
    months = comparison.months(last)
    tallies = comparison.by_month(FactoryDay.objects.all(), measure, months[0].first, last)
    assert len(tallies) >= 3
    for (factory, first), tally in tallies.items():
        code = Factory.objects.get(pk=factory).code
        month = next(month for month in months if month.first == first)
        url = reverse("factory_rows", args=[code, measure]) + f"?first={month.first}&last={month.last}"
        page = client.get(url)
        every = next(tab["count"] for tab in page.context["tabs"] if "counted=all" in tab["url"])
        assert every == len(page.context["rows"]) == tally.n
        lines = list(csv.DictReader(io.StringIO(client.get(url + "&format=csv").content.decode("utf-8-sig"))))
        assert len(lines) == tally.n
        if measure == "otif":
            assert sum(line["counted"] == "on time" for line in lines) == tally.num
        elif measure == "defect":
            assert sum(int(line["defective"]) for line in lines) == tally.num
            assert sum(int(line["inspected"]) for line in lines) == tally.den


def test_every_figure_on_the_page_opens(client, sign_in, company):
    sign_in("inspector")
    for measure in ("otif", "defect", "loss"):
        found = cells(client.get(f"/compare/?m={measure}"))
        assert found
        for cell in found:
            rows = client.get(cell["url"])
            assert rows.status_code == 200
            assert rows.context["rows"]


def test_the_figures_are_calendar_months_and_add_up_to_every_line_that_fell_due(company):
    last = judged.ago(1)
    tallies = comparison.by_month(FactoryDay.objects.all(), "otif", comparison.months(last)[0].first, last)
    assert (
        sum(tally.n for tally in tallies.values()) == LineOutcome.objects.counted().filter(limit_on__lte=last).count()
    )
    tallies = comparison.by_month(FactoryDay.objects.all(), "defect", comparison.months(last)[0].first, last)
    assert sum(tally.n for tally in tallies.values()) == LotOutcome.objects.count()


def test_twelve_months_end_with_the_running_one_as_far_as_it_is_over():
    months = comparison.months(make.day("2026-11-21"))
    assert [f"{month.first} {month.last}" for month in (months[0], months[-2], months[-1])] == [
        "2025-12-01 2025-12-31", "2026-10-01 2026-10-31", "2026-11-01 2026-11-21",
    ]  # fmt: skip
    assert len(months) == 12


def test_colours_are_split_at_the_policy_of_each_factory(client, sign_in, company):
    with pgtrigger.ignore("assessments.Policy:not_back_dated"):  # as if it had been there when they were judged
        Policy.objects.create(
            factory=Factory.objects.get(code="LATE-1"), effective_from=make.day("2020-01-01"),
            otif_target="0.20", otif_floor="0.10", otif_zero="0.05",
        )  # fmt: skip
    sign_in("manager")
    page = client.get("/compare/")
    tallies = comparison.by_month(
        FactoryDay.objects.all(), "otif", comparison.months(judged.ago(1))[0].first, judged.ago(1)
    )
    for row in page.context["rows"]:
        target, limit = (0.20, 0.10) if row["factory"].code == "LATE-1" else (0.98, 0.90)
        for month, cell in zip(comparison.months(judged.ago(1)), row["cells"], strict=True):
            tally = tallies.get((row["factory"].pk, month.first))
            expected = heat_class(tally and tally.rate, target, limit, few=bool(tally) and tally.n < 5)
            assert cell["css"] == expected
    assert page.context["own_rulers"]


def test_too_few_data_are_hatched_but_said_and_none_is_a_dash_that_leads_to_its_empty_rows(client, sign_in, company):
    sign_in("manager")
    rows = {row["factory"].code: row["cells"] for row in client.get("/compare/").context["rows"]}
    assert {cell["css"] for cell in rows["FEW-1"]} == {"few", "nil"}
    assert all(cell["text"].isdecimal() for cell in rows["FEW-1"] if cell["css"] == "few")
    assert {(cell["css"], cell["text"]) for cell in rows["NONE-1"]} == {("nil", "–")}
    months = comparison.months(judged.ago(1))
    assert [cell["url"] for cell in rows["NONE-1"]] == [
        f"/factories/NONE-1/rows/otif/?first={month.first}&last={month.last}" for month in months
    ]
    assert "No rows here" in client.get(rows["NONE-1"][0]["url"]).content.decode()


def test_the_worst_of_the_month_asked_for_comes_first_then_too_few_then_none(client, sign_in, company):
    sign_in("buyer")
    month = f"{closed_month(judged.ago(1)).first:%Y-%m}"
    tallies = comparison.by_month(
        FactoryDay.objects.all(), "otif", closed_month(judged.ago(1)).first, closed_month(judged.ago(1)).last
    )
    by_code = {Factory.objects.get(pk=pk).code: tally for (pk, _), tally in tallies.items()}
    known = [code for code in by_code if by_code[code].n >= 5]
    few = [code for code in by_code if by_code[code].n < 5]
    expected = sorted(known, key=lambda code: (by_code[code].rate, code)) + sorted(
        few, key=lambda code: (by_code[code].rate, code)
    )
    assert codes(client.get(f"/compare/?sort={month}"))[: len(expected)] == expected
    assert codes(client.get("/compare/")) == codes(client.get(f"/compare/?sort={month}"))
    assert codes(client.get("/compare/?sort=nonsense")) == codes(client.get("/compare/"))
    by_name = [row["factory"].name for row in client.get("/compare/?sort=name").context["rows"]]
    assert by_name == sorted(by_name, key=str.casefold)


def test_filters_narrow_the_list_and_links_keep_them(client, sign_in, company):
    sign_in("manager")
    assert codes(client.get("/compare/?country=CN")) == ["BAD-1"]
    assert codes(client.get("/compare/?q=LATE-1")) == ["LATE-1"]
    page = client.get("/compare/?country=CN&m=defect")
    assert "?country=CN&amp;m=otif" in page.content.decode()
    assert "No factory matches" in client.get("/compare/?q=nowhere").content.decode()


def test_material_of_two_currencies_is_shown_by_the_worse_one(db):
    factory = judged.factory("TWO-1", lines=1, lots=1)
    given_material(factory, lost=2, currency="USD")
    given_material(factory, lost=30, currency="EUR")
    judged.judge(months=0)
    found = comparison.by_month(FactoryDay.objects.all(), "loss", judged.ago(400), judged.ago(1))
    (tally,) = found.values()
    euro = MaterialOutcome.objects.get(currency="EUR")
    assert (tally.n, tally.rate) == (2, Fraction(euro.value_loss) / Fraction(euro.value_net))


# The ranking


def test_one_bad_of_five_does_not_top_the_list():
    counted = {1: Shares((1, 5)), 2: Shares((60, 1000)), 3: Shares((5, 1000))}
    ranked = comparison.rank("defect", counted, dict.fromkeys(counted, 7), counted)
    assert [found.factory for found in ranked] == [2, 1, 3]
    pooled = Fraction(66, 2005)
    assert ranked[1].shrunken == (100 * pooled + 1) / 105


def test_the_prior_is_that_of_the_own_category_and_not_of_the_list_shown():
    counted = {1: Shares((9, 100)), 2: Shares((1, 100)), 3: Shares((50, 100))}
    categories = {1: 7, 2: 7, 3: 8}
    alone = comparison.rank("defect", counted, categories, [1])
    every = comparison.rank("defect", counted, categories, counted)
    assert alone[0] == next(found for found in every if found.factory == 1)
    assert alone[0].shrunken == Fraction(100 * Fraction(5, 100) + 9, 200)


def test_of_order_lines_a_category_weighs_less_than_of_units():
    """With 100 lines a factory that is always on time would stand below its late neighbours."""
    counted = {1: Shares((9, 18)), 2: Shares((0, 18)), 3: Shares((3, 17)), 4: Shares((3, 17))}
    categories = {1: 7, 2: 7, 3: 8, 4: 8}
    assert [found.factory for found in comparison.rank("otif", counted, categories, counted)] == [1, 3, 4, 2]


def test_the_weight_of_a_category_is_learned_from_ten_factories():
    alike = [(3, 100)] * 9
    assert comparison.prior(alike).weight == intervals.PSEUDO_UNITS
    mixed = [(0, 500), (50, 500)] * 5
    learned = comparison.prior(mixed)
    assert learned.estimated
    assert learned.rate == Fraction(5, 100)
    assert learned.weight < intervals.PSEUDO_UNITS  # factories that differ so much say little of each other
    assert not comparison.prior([(3, 100)] * 12).estimated  # no more spread than chance gives: nothing to learn


def test_factories_drawn_from_a_known_prior_give_its_weight_back():
    """Beta(2, 38) at 400 units each: by quantiles, so that the test needs no chance."""
    from_prior = [intervals.special.betaincinv(2, 38, (place + 0.5) / 400) for place in range(400)]
    samples = [(round(400 * rate), 400) for rate in from_prior]
    noise_free = comparison.weight(samples)
    assert 40 < noise_free < 50  # 40, and a little more because rounding leaves out the spread by chance


def test_a_factory_without_data_is_counted_and_not_ranked(client, sign_in, company):
    sign_in("manager")
    page = client.get("/compare/?view=league")
    assert [entry["factory"].code for entry in page.context["entries"]] == ["LATE-1", "FEW-1", "BAD-1", "GOOD-1"]
    assert page.context["without"] == 1
    worst = client.get("/compare/?view=league&m=defect").context["entries"][0]
    assert worst["factory"].code == "BAD-1"


def test_an_arrow_stands_only_where_the_change_is_more_than_chance(client, sign_in, company):
    counted = {1: Shares((30, 900), (12, 900)), 2: Shares((15, 900), (12, 900)), 3: Shares((1, 9))}
    arrows = {
        found.factory: found.trend.arrow
        for found in comparison.rank("defect", counted, dict.fromkeys(counted, 7), counted)
    }
    assert arrows == {1: "up", 2: "flat", 3: "flat"}


def test_material_is_ranked_by_its_own_rate(client, sign_in, company):
    sign_in("manager")
    page = client.get("/compare/?view=league&m=loss")
    assert len(page.context["entries"]) == 3
    assert "shrunken" not in page.context["entries"][0]


def test_looking_at_the_ranking_opens_no_breach(client, sign_in, company):
    sign_in("manager")
    before = Breach.objects.count()
    for measure in ("otif", "defect", "loss"):
        client.get(f"/compare/?view=league&m={measure}")
    assert Breach.objects.count() == before


# Who sees them, and what they cost


def test_who_may_compare_and_who_may_open_the_rows(client, sign_in, company):
    for role in ("manager", "buyer", "inspector", "admin"):
        sign_in(role)
        assert client.get("/compare/").status_code == client.get("/factories/LATE-1/rows/otif/").status_code == 200
    sign_in("officer")
    assert client.get("/compare/").status_code == client.get("/factories/LATE-1/rows/otif/").status_code == 403
    sign_in("contact", factory=Factory.objects.get(code="LATE-1"))
    assert client.get("/compare/").status_code == 403
    assert client.get("/factories/LATE-1/rows/otif/").status_code == 200
    for code in ("BAD-1", "NO-SUCH"):
        assert client.get(f"/factories/{code}/rows/otif/").status_code == 404


def test_the_inspector_reads_no_amounts_in_the_rows(client, sign_in, company):
    days = f"?first={judged.ago(90)}&last={judged.ago(1)}"
    sign_in("inspector")
    assert "USD" not in client.get(f"/factories/BAD-1/rows/loss/{days}").content.decode()
    sign_in("buyer")
    assert "USD" in client.get(f"/factories/BAD-1/rows/loss/{days}").content.decode()


def test_days_that_are_none_are_not_found(client, sign_in, company):
    sign_in("manager")
    for query in ("first=2026-13-01", "first=x", "last=2026-02-30", "first=9999-12-31", "first=2026-01-01&last=%00"):
        assert client.get(f"/factories/LATE-1/rows/otif/?{query}").status_code == 404, query
    assert (
        "No rows here" in client.get("/factories/LATE-1/rows/otif/?first=2026-02-01&last=2026-01-01").content.decode()
    )


def read(response):
    """The rows of a file as dicts: CSV or XLSX, the values as text."""
    if response["Content-Type"].startswith("text/csv"):
        return list(csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"))))
    sheet = load_workbook(io.BytesIO(b"".join(response.streaming_content))).active
    head, *rows = sheet.iter_rows(values_only=True)
    return [dict(zip(head, ["" if cell is None else str(cell) for cell in row], strict=True)) for row in rows]


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@pytest.mark.parametrize("measure", ["otif", "defect", "loss"])
def test_the_file_of_the_heatmap_has_every_figure_of_every_page(client, sign_in, company, measure, kind, monkeypatch):
    monkeypatch.setattr("assessments.views.compare.PAGE", 1)
    sign_in("manager")
    address = f"/compare/?m={measure}"
    listed = [client.get(f"{address}&page={n}") for n in range(1, 6)]
    rows = read(client.get(f"{address}&format={kind}"))
    found = [
        (row["factory"].code, cell["text"]) for page in listed for row in page.context["rows"] for cell in row["cells"]
    ]
    places = 0 if measure == "otif" else 1
    assert [(row["factory"], compare_words.exact(Fraction(row["rate"]), places).removesuffix("%")) for row in rows] == [
        (code, text) for code, text in found if text != NONE
    ]
    for row in rows:
        if measure != "loss":
            assert round(float(row["numerator"]) / float(row["denominator"]), 6) == float(row["rate"])
    assert {row["data"] for row in rows} <= {"enough", "too few"}
    assert "CSV" in listed[0].content.decode()


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@pytest.mark.parametrize("measure", ["otif", "defect", "loss"])
def test_the_file_of_the_ranking_has_every_factory_in_its_place(client, sign_in, company, measure, kind, monkeypatch):
    monkeypatch.setattr("assessments.views.compare.PAGE", 1)
    sign_in("inspector")
    address = f"/compare/?m={measure}&view=league"
    rows = read(client.get(f"{address}&format={kind}"))
    entries = [client.get(f"{address}&page={n}").context["entries"][0] for n in range(1, len(rows) + 1)]
    assert [(row["place"], row["factory"]) for row in rows] == [
        (str(entry["place"]), entry["factory"].code) for entry in entries
    ]
    assert [compare_words.exact(Fraction(row["rate"])) for row in rows] == [entry["rate"] for entry in entries]
    if measure != "loss":
        assert [compare_words.exact(Fraction(row["ranked_by"])) for row in rows] == [
            entry["shrunken"] for entry in entries
        ]
        assert all(float(row["low"]) <= float(row["rate"]) <= float(row["high"]) for row in rows)


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_no_name_in_a_comparison_is_run_as_a_formula(client, sign_in, company, kind):
    Factory.objects.filter(code="LATE-1").update(name='=HYPERLINK("http://example.com")')
    sign_in("manager")
    for view in ("", "&view=league", "&view=league&m=loss"):
        names = {
            row["name"] for row in read(client.get(f"/compare/?format={kind}{view}")) if row["factory"] == "LATE-1"
        }
        assert names == {'\'=HYPERLINK("http://example.com")'}


def test_a_comparison_costs_the_same_for_five_factories_and_for_many(client, sign_in, company):
    sign_in("manager")
    client.get("/help/")
    urls = [f"/compare/?m={name}{view}" for name in ("otif", "defect", "loss") for view in ("", "&view=league")]
    few = {url: queries(client, url) for url in urls}
    for n in range(20):
        judged.factory(f"MORE-{n}", lines=6, late=n % 4, lots=2, defective=n % 3)
    judged.judge(months=0)
    assert {url: queries(client, url) for url in urls} == few
    assert max(few.values()) <= 8


def test_a_page_of_factories_stays_below_1500_elements_when_every_month_has_a_figure(client, sign_in, company):
    sign_in("manager")
    for n in range(52):
        make.factory(code=f"MORE-{n}")
    page = client.get("/compare/")
    shown = len(page.context["rows"])
    assert len(client.get("/compare/?page=2").context["rows"]) == 57 - shown
    body = page.content.decode()
    rows = body.split("<tbody>")[1].split("</tbody>")[0].split("</tr>")[:-1]
    assert max(len(re.findall(r"<[a-z]", row)) for row in rows) <= 3 + 2 * 12
    frame = len(re.findall(r"<[a-z]", body)) - sum(len(re.findall(r"<[a-z]", row)) for row in rows)
    options_of_many_countries = 60
    assert frame + options_of_many_countries + shown * (3 + 2 * 12) < 1500


# Early warnings on the scorecard


def test_a_slow_drift_of_the_last_lots_is_a_note_and_changes_no_grade(client, sign_in, db):
    factory = judged.factory("SLOW-1", lines=30, lots=0)
    for n in range(30):
        lot = make.lot(line=make.line(factory=factory))
        make.inspection(lot=lot, inspected_on=judged.ago(60 - n), major=1 if n < 20 else 5)
    judged.judge(months=0)
    sign_in("manager")
    page = client.get("/factories/SLOW-1/")
    assert "Early warning: the last lots drift upwards" in page.content.decode()


def drifts(lots):
    found = early_warning.drift(lots)
    return found is not None and found.is_on


def test_twenty_lots_are_needed_to_see_a_drift_and_old_peaks_are_forgotten():
    calm, peak = [(1, 80)] * 20, [(6, 80)] * 5
    assert drifts(calm + peak)
    assert not drifts(calm)
    assert not drifts(calm[:10] + peak)
    assert not drifts(peak + calm)
    assert not drifts([(0, 80)] * 30)


def test_big_lots_are_drawn_with_limits_that_do_not_cry_wolf():
    big = [(95, 4000), (60, 4000), (130, 4000), (82, 4000), (40, 4000), (110, 4000), (71, 4000), (99, 4000)]
    assert early_warning.limits(big).stretched
    assert early_warning.limits(big).out == ()
    assert not early_warning.limits([(2, 80), (1, 80)]).stretched


# Every measure


@pytest.mark.parametrize("measure", COMPARED)
def test_every_measure_has_a_heatmap_a_ranking_and_files_and_costs_as_much_for_many(client, sign_in, company, measure):
    sign_in("manager")
    client.get("/help/")
    urls = [f"/compare/?m={measure}{more}" for more in ("", "&view=league", "&f=bad-1", "&view=league&f=BAD-1")]
    few = {url: queries(client, url) for url in urls}
    page = client.get(urls[0])
    assert cells(page)
    assert {(cell["css"] == "nil", cell["text"] == NONE) for row in page.context["rows"] for cell in row["cells"]} <= {
        (True, True), (False, False),
    }  # fmt: skip
    assert client.get(urls[1]).context["entries"]
    months = read(client.get(f"{urls[0]}&format=csv"))
    assert [compare_words.exact(Fraction(row["rate"]), 1 if COMPARED[measure].lower else 0).removesuffix("%") for row in months] == [
        cell["text"] for cell in cells(page)
    ]  # fmt: skip
    league = read(client.get(f"{urls[1]}&format=xlsx"))
    assert len(league) == len(client.get(urls[1]).context["entries"])
    for n in range(12):
        judged.factory(f"MORE-{n}", lines=6, late=n % 4, lots=2, defective=n % 3)
    judged.judge(months=0)
    assert {url: queries(client, url) for url in urls} == few
    assert max(few.values()) <= 12


@pytest.mark.parametrize("measure", COMPARED)
def test_every_cell_of_every_measure_opens_also_an_empty_one(client, sign_in, company, measure):
    sign_in("buyer")
    for row in client.get(f"/compare/?m={measure}").context["rows"]:
        assert len(row["cells"]) == 12
        for cell in {cell["css"]: cell for cell in row["cells"]}.values():
            assert client.get(cell["url"]).status_code == 200


@pytest.mark.parametrize(
    "measure, figure",
    [
        ("otd", lambda lines, lots: Fraction(sum(r.is_otd for r in lines), len(lines))),
        ("quantity", lambda lines, lots: Fraction(sum(r.qty_on_time for r in lines)) / Fraction(sum(r.qty_due for r in lines))),
        ("defect-all", lambda lines, lots: Fraction(sum(r.critical + r.major + r.minor for r in lots), sum(r.inspected for r in lots))),
        ("defect-lots", lambda lines, lots: sum(Fraction(r.defective, r.inspected) for r in lots) / len(lots)),
        ("defect-quantity", lambda lines, lots: sum(Fraction(r.defective, r.inspected) * Fraction(r.qty_delivered) for r in lots)
            / Fraction(sum(r.qty_delivered for r in lots))),
        ("rejected", lambda lines, lots: Fraction(sum(r.is_accepted is False for r in lots), sum(r.is_accepted is not None for r in lots))),
        ("critical", lambda lines, lots: Fraction(sum(r.critical > 0 for r in lots), len(lots))),
    ],
)  # fmt: skip
def test_a_figure_is_that_of_the_rows_themselves(company, measure, figure):
    Inspection.objects.filter(lot__factory=company[2]).update(units_minor=3)
    Inspection.objects.filter(pk__in=list(Inspection.objects.values_list("pk", flat=True)[:2])).update(units_critical=1)
    rollups.rebuild()
    found = comparison.totals(FactoryDay.objects.all(), measure, judged.ago(1), length=400)
    assert len(found) >= 3
    for pk, tally in found.items():
        lines, lots = LineOutcome.objects.counted().filter(factory=pk), LotOutcome.objects.filter(factory=pk)
        expected = figure(list(lines.filter(limit_on__lte=judged.ago(1))), list(lots))
        assert abs(tally.rate - expected) < Fraction(1, 10**9)


def test_coverage_is_the_share_of_what_arrived_that_was_inspected(client, sign_in, company):
    sign_in("manager")
    found = comparison.totals(FactoryDay.objects.all(), "coverage", judged.ago(1), length=400)
    rows = DeliveryOutcome.objects.filter(factory=company[1], received_on__lte=judged.ago(1))
    seen = sum(row.quantity for row in rows if row.is_inspected)
    assert found[company[1].pk].rate == Fraction(seen) / Fraction(sum(row.quantity for row in rows))
    cell = cells(client.get("/compare/?m=coverage&q=LATE-1"))[-1]
    assert "counted=deliveries" in cell["url"]
    assert client.get(cell["url"]).context["rows"]


def test_the_score_is_the_one_that_was_judged_and_leads_to_how_it_was_worked_out(client, sign_in, company):
    sign_in("manager")
    row = client.get("/compare/?m=score&q=LATE-1").context["rows"][0]
    month = closed_month(judged.ago(1))
    stored = Evaluation.objects.whole().filter(factory=company[1], kind="month", as_of=month.last).latest("revision")
    cell = next(cell for cell in row["cells"] if f"/score/{month.first:%Y-%m}/" in cell["url"])
    assert cell["text"] == compare_words.exact(Fraction(stored.score) / 100, 0).removesuffix("%")
    now = Evaluation.objects.whole().filter(factory=company[1], kind="night").latest("as_of")
    assert row["cells"][-1]["url"].endswith(f"/score/{now.period}/")
    few = client.get("/compare/?m=score&q=FEW-1").context["rows"][0]["cells"][-1]
    assert (few["css"], few["text"]) == ("nil", NONE)
    assert "too few data for a score" in few["title"]


def test_a_minimum_of_ones_own_hatches_what_stands_on_fewer_and_keeps_its_number(client, sign_in, company):
    sign_in("manager")

    def few(query):
        return {
            (row["factory"].code, cell["text"])
            for row in client.get(f"/compare/?{query}").context["rows"]
            for cell in row["cells"]
            if cell["css"] == "few"
        }

    assert few("m=otif&n=1") == set()
    every = {(row["factory"].code, cell["text"]) for row in client.get("/compare/").context["rows"]
             for cell in row["cells"] if cell["css"] != "nil"}  # fmt: skip
    assert few("m=otif&n=1000") == every
    assert "under 1,000 lines" in client.get("/compare/?n=1000").content.decode()
    assert {row["data"] for row in read(client.get("/compare/?n=1000&format=csv"))} == {"too few"}
    assert few("m=defect&n=1") == set()


@pytest.mark.parametrize("typed, said", [("x", "Enter a whole number."), ("0", "greater than or equal to 1"), ("-3", "1."),
                                         ("9" * 40, "less than or equal to")])  # fmt: skip
def test_a_minimum_that_is_no_number_is_named_and_the_policy_s_holds(client, sign_in, company, typed, said):
    sign_in("manager")
    page = client.get(f"/compare/?n={typed}")
    assert said in page.content.decode()
    assert [row["cells"] for row in page.context["rows"]] == [
        row["cells"] for row in client.get("/compare/").context["rows"]
    ]


def test_what_no_policy_limits_is_not_coloured_and_says_so(client, sign_in, company):
    sign_in("manager")
    page = client.get("/compare/?m=rejected&n=1")
    assert {cell["css"] for cell in cells(page)} == {"plain"}
    assert "No policy names a limit for it" in page.content.decode()
    assert "n" not in client.get("/compare/?m=score").context["asked"].fields
    assert next(iter(dict(client.get("/compare/?m=score").context["legend"]))) == "h2"  # nothing lies under 0 points
    legend = dict(client.get("/compare/?m=coverage").context["legend"])
    assert legend["h1"] == "under 50%"
    assert legend["h5"] == "from 50% (asked for)"
    assert set(legend) == {"h1", "h5", "h6", "h7"}


def test_one_choice_of_measure_keeps_what_else_was_chosen(client, sign_in, company):
    sign_in("manager")
    page = client.get("/compare/?m=otd&country=CN&view=league&n=3").content.decode()
    assert '<option value="otd" selected>' in page
    assert '<input type="hidden" name="country" value="CN">' in page
    assert '<input type="hidden" name="n" value="3">' in page


# One factory drawn


def lots_of(code, bad, inspected=100):
    """A factory with one inspected lot a day, the last one yesterday."""
    factory = make.factory(code=code, time_zone="UTC")
    product, order = make.product(category=factory.category), make.order(factory=factory)
    made = [
        make.inspection(
            lot=make.lot(line=make.line(1000, order=order, product=product), code=f"{code}-{n}"), inspected=inspected,
            inspected_on=judged.ago(len(bad) - n), major=each,
        )
        for n, each in enumerate(bad)
    ]  # fmt: skip
    rollups.rebuild()
    return factory, made


def blocks(page):
    return [block for pair in page.context["one"]["pairs"] for block in pair]


def said_of(page):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page.content.decode()))


def test_the_lots_of_one_factory_are_drawn_with_their_drift_and_the_lot_it_began_with(client, sign_in, db):
    _, made = lots_of("SLOW-1", [2] * 20 + [7] * 6, inspected=125)
    sign_in("inspector")
    page = client.get("/compare/?m=defect&f=slow-1")
    chart, drift, months = blocks(page)
    assert (chart["title"], drift["title"]) == ("Defect rate per lot", "Slow drift of the lots")
    assert page.content.decode().count('<svg class="w"') == 3
    found = early_warning.drift([(2, 125)] * 20 + [(7, 125)] * 6)
    began = made[found.signals_at]
    assert f"The lots drift upwards since {began.lot.code} of" in said_of(page)
    assert f'<a href="{began.get_absolute_url()}">{began.lot.code}</a>' in drift["note"]
    assert "CUSUM: first signal with" in said_of(page)
    assert len(drift["rows"]) == 26
    assert months["rows"]


def test_small_lots_are_drawn_open_and_the_page_says_why(client, sign_in, db):
    lots_of("SMALL-1", [1, 2, 1, 0, 2], inspected=80)
    sign_in("manager")
    page = client.get("/compare/?m=defect&f=SMALL-1")
    said = "None is judged, so all are open and without limits: at a mean of 1.5% that takes 200 each."
    assert said in said_of(page)
    chart = blocks(page)[0]
    assert str(chart["chart"]).count('class="co"') == 2 * 5
    assert {row[4] for row in chart["rows"]} == {NONE}


def test_control_limits_need_more_units_the_rarer_the_defects_are():
    assert [control.least_units(mean) for mean in (0.5, 0.10, 0.0999, 0.02, 0.0199, 0)] == [50, 50, 100, 100, 200, 200]
    mixed = early_warning.limits([(2, 80), (1, 80), (3, 125), (2, 80), (0, 50), (4, 125), (9, 80), (2, 125)])
    assert mixed.least == 100
    assert mixed.small == (0, 1, 3, 4, 6)
    assert mixed.out == ()  # the ninth of 80 would lie outside, but is not judged
    assert [limit is None for limit in mixed.ucl] == [True, True, False, True, True, False, True, False]


def test_a_confirmed_correction_begins_the_drift_anew(client, sign_in, db):
    factory, _made = lots_of("FIXED-1", [1] * 20 + [6] * 6 + [1] * 3, inspected=125)
    assert drifts([(1, 125)] * 20 + [(6, 125)] * 6)
    Standing.objects.create(factory=factory, grade="good", since_on=judged.ago(90), corrected_on=[judged.ago(3)])
    sign_in("manager")
    drift = blocks(client.get("/compare/?m=defect&f=FIXED-1"))[1]
    assert len(drift["rows"]) == 3
    assert f"since the correction confirmed on {judged.ago(3):%-d %b %Y}" in drift["aside"]
    assert "No drift" in drift["note"]


def test_the_baseline_after_a_correction_is_that_of_the_lots_since_once_they_are_twenty():
    before, after = [(8, 100)] * 25, [(1, 100)] * 20
    assert early_warning.baseline(before + after, 25) == 0.01
    assert early_warning.baseline(before + after[:19], 25) == (25 * 8 + 19) / 4400
    assert early_warning.baseline(before[:10] + after[:9], 10) is None
    assert early_warning.drift(before, 25) is None  # no lot since


def test_the_months_of_one_factory_are_drawn_with_limits_where_things_are_counted_and_as_a_line_where_not(
    client, sign_in, company
):
    sign_in("manager")
    (counted,) = blocks(client.get("/compare/?m=otif&f=LATE-1"))
    assert "control limits 3 sigma" in counted["aside"]
    (line,) = blocks(client.get("/compare/?m=quantity&f=LATE-1"))
    assert "without control limits" in line["aside"]
    for block in (counted, line):
        assert len(block["rows"]) == 12
        url = re.search(r'href="([^"]+)"', block["rows"][1][0])[1].replace("&amp;", "&")
        assert client.get(url).status_code == 200


def test_a_trend_over_the_months_is_told_by_mann_kendall_and_only_where_it_is_more_than_chance():
    rising = [Fraction(n, 100) for n in (21, 24, 22, 29, 31, 30, 36, 39)]
    assert compare_one.trend_words(comparison.monthly_trend(rising)) == (
        "The monthly rates show a rising trend (Mann-Kendall, p 0.004). It changes no grade."
    )
    assert "falling trend" in compare_one.trend_words(comparison.monthly_trend(rising[::-1]))
    steep = [Fraction(n, 100) for n in range(12)]
    assert "p below 0.001" in compare_one.trend_words(comparison.monthly_trend(steep))
    flat = [Fraction(n, 100) for n in (3, 1, 2, 3, 2, 1, 3, 2)]
    assert compare_one.trend_words(comparison.monthly_trend(flat)) == (
        "The monthly rates show no trend (Mann-Kendall, p 1.000)."
    )
    assert comparison.monthly_trend([*rising[:5], None, None]) is None
    assert "Fewer than 6 months have a rate" in compare_one.trend_words(None)


def test_a_code_that_no_factory_has_is_said_and_the_list_stays(client, sign_in, company):
    sign_in("manager")
    page = client.get("/compare/?f=NO-SUCH")
    assert "No factory has the code NO-SUCH." in page.content.decode()
    assert len(page.context["rows"]) == 5
    assert "one" not in page.context
    assert "has no data in the last twelve months" in client.get("/compare/?f=NONE-1").content.decode()


def test_a_drawing_opens_no_breach(client, sign_in, db):
    lots_of("SLOW-1", [2] * 20 + [9] * 6)
    sign_in("manager")
    client.get("/compare/?m=defect&f=SLOW-1")
    assert not Breach.objects.exists()
