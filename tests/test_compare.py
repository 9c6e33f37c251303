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

from assessments import comparison, early_warning, intervals
from assessments.charts import heat_class
from assessments.comparison import Shares
from assessments.figures import NONE
from assessments.models import Breach, Policy
from assessments.views import compare
from assessments.windows import closed_month
from factories.models import Factory
from production.models import FactoryDay, LineOutcome, LotOutcome, MaterialOutcome
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
    return [cell for row in page.context["rows"] for cell in row["cells"] if cell.get("url")]


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


def test_too_few_data_are_hatched_but_said_and_none_is_a_dash_without_a_link(client, sign_in, company):
    sign_in("manager")
    rows = {row["factory"].code: row["cells"] for row in client.get("/compare/").context["rows"]}
    assert {cell["css"] for cell in rows["FEW-1"]} == {"few", "nil"}
    assert all(cell["text"].isdecimal() for cell in rows["FEW-1"] if cell["css"] == "few")
    assert {(cell["css"], cell["text"], cell.get("url")) for cell in rows["NONE-1"]} == {("nil", "–", None)}


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
    assert [(row["factory"], compare.exact(Fraction(row["rate"]), places).removesuffix("%")) for row in rows] == [
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
    assert [compare.exact(Fraction(row["rate"])) for row in rows] == [entry["rate"] for entry in entries]
    if measure != "loss":
        assert [compare.exact(Fraction(row["ranked_by"])) for row in rows] == [entry["shrunken"] for entry in entries]
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


def test_twenty_lots_are_needed_to_see_a_drift_and_old_peaks_are_forgotten():
    calm, peak = [(1, 80)] * 20, [(6, 80)] * 5
    assert early_warning.drifts(calm + peak)
    assert not early_warning.drifts(calm)
    assert not early_warning.drifts(calm[:10] + peak)
    assert not early_warning.drifts(peak + calm)
    assert not early_warning.drifts([(0, 80)] * 30)


def test_big_lots_are_drawn_with_limits_that_do_not_cry_wolf():
    big = [(95, 4000), (60, 4000), (130, 4000), (82, 4000), (40, 4000), (110, 4000), (71, 4000), (99, 4000)]
    assert early_warning.limits(big).stretched
    assert early_warning.limits(big).out == ()
    assert not early_warning.limits([(2, 80), (1, 80)]).stretched
