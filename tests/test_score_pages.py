"""What the page of a score leads to: the same days judged today, what changed in the policy, paper, and sorted rows."""

import datetime
import io
import re
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from openpyxl import load_workbook

from assessments import evaluations, jobs, pdf, rerun
from assessments.models import Evaluation, Policy
from assessments.views.entrance import today
from production import rollups
from production.models import Inspection
from tests import judged, make
from tests.test_assessment_pages import read_csv, text

pytestmark = pytest.mark.django_db
ago = judged.ago


@pytest.fixture
def late(db):
    """Hoa Binh: 5 of 12 lines late, judged last night and for two months."""
    made = judged.factory("VN-014", name="Hoa Binh Garment", late=5, defective=2, city="Hanoi")
    judged.judge()
    return made


def month_of(factory):
    return Evaluation.objects.whole().filter(factory=factory, kind="month").order_by("-as_of", "-revision").first()


def night_of(factory):
    return Evaluation.objects.whole().filter(factory=factory, kind="night").latest("as_of")


def sign_in(client, role="manager", **fields):
    client.force_login(make.user(role, **fields))


def late_delivery(factory):
    """A line that was due in the last closed month, and never came: it is known only now."""
    end = month_of(factory).as_of
    return make.line(
        100, order=make.order(factory=factory), committed_on=end - datetime.timedelta(days=8), number="L99"
    )


def groups(page):
    return {group["title"]: {line["name"]: line for line in group["lines"]} for group in page.context["groups"]}


# The same days, judged today


@pytest.mark.parametrize("role", ["manager", "buyer", "inspector", "admin", "contact"])
def test_where_no_fact_changed_the_page_says_that_nothing_differs(client, late, role):
    sign_in(client, role, factory=late if role == "contact" else None)
    for evaluation in (month_of(late), night_of(late)):
        page = client.get(f"{evaluation.get_absolute_url()}today/")
        assert "Nothing differs. Judged today it comes out the same, to the last digit." in text(page)
        assert "Nothing is stored or published by this page." in text(page)
        assert not [line for lines in groups(page).values() for line in lines.values() if line["differs"]]
        assert page.context["sums"] == []


def test_what_a_late_fact_would_change_stands_beside_what_is_stored_and_is_not_stored(client, late):
    month, before = month_of(late), Evaluation.objects.count()
    late_delivery(late)
    rollups.rebuild()
    sign_in(client)
    page = client.get(f"{month.get_absolute_url()}today/")
    shown = groups(page)
    counted = shown["On time in full"]["Counted"]
    num, den = month.measures["otif"]["num"], month.measures["otif"]["den"]
    assert counted["differs"]
    assert re.sub("<[^>]+>", "", counted["stored"]) == f"{num} of {den} lines"
    assert re.sub("<[^>]+>", "", counted["today"]) == f"{num} of {den + 1} lines"
    assert shown["On time in full"]["Value"]["differs"]
    assert not shown["Defect rate"]["Counted"]["differs"]
    assert "differ today." in text(page)
    assert "The published grade stays as it was." in text(page)
    assert ("lines", str(den), str(den + 1)) in page.context["sums"]
    assert Evaluation.objects.count() == before


def test_what_the_page_foretells_is_what_the_next_revision_stores(client, late):
    month = month_of(late)
    late_delivery(late)
    rollups.rebuild()
    foretold = rerun.rerun(month).today
    evaluations.evaluate_month(month.as_of, [late.pk])
    stored = month_of(late)
    assert stored.revision == month.revision + 1
    for name in ("digest", "score", "measures", "sums", "gates", "flags", "raw_grade", "ungated_grade", "window_days"):
        assert getattr(stored, name) == getattr(foretold, name), name
    sign_in(client)
    assert "Nothing differs." in text(client.get(f"{month.get_absolute_url()}today/"))
    first = client.get(f"{month.get_absolute_url()}today/").context["first_url"]
    page = text(client.get(f"{month.get_absolute_url()}today/{first}"))
    assert "Stored: revision 1" in page
    assert "differ today." in page


def test_it_is_judged_by_the_version_of_the_policy_that_judged_it_then(late):
    month = month_of(late)
    Policy.objects.create(
        effective_from=today() + datetime.timedelta(days=1), otif_floor=Decimal("0.50"), otif_target=Decimal("0.60"),
        otif_zero=Decimal("0.10"),
    )  # fmt: skip
    found = rerun.rerun(month)
    assert found.today.policy == month.policy
    assert found.today.measures["otif"]["limit"] == month.measures["otif"]["limit"]
    assert found.is_same


def test_a_breach_in_a_named_category_gates_the_whole_again():
    strict = {"defect_limit": Decimal("0.001"), "defect_target": Decimal("0.0005"), "defect_zero": Decimal("0.9")}
    made = judged.factory("VN-015", lines=40, lots=10, defective=2)
    Policy.objects.create(effective_from=ago(800), category=made.category, **strict)
    judged.judge()
    whole = month_of(made)
    assert f"confirmed_breach:defect:{made.category.code}" in [gate["label"] for gate in whole.gates]
    assert rerun.rerun(whole).is_same
    inside = Evaluation.objects.filter(kind="month", category=made.category).latest("as_of")
    assert rerun.rerun(inside).is_same
    assert rerun.rerun(inside).today.category == made.category


def test_numbers_that_are_not_shown_and_differ_are_named(client, late):
    sign_in(client)
    month = month_of(late)
    inspection = late.lots.first().inspections.get()
    inspection.units_minor = 3
    inspection.save()
    rollups.rebuild()
    page = client.get(f"{month.get_absolute_url()}today/")
    assert page.context["sums"] == [("units minor", None, "3")]
    assert "Nothing shown differs." in text(page)


def test_the_numbers_of_both_sides_lead_to_their_rows(client, late):
    late_delivery(late)
    rollups.rebuild()
    sign_in(client)
    page = client.get(f"{month_of(late).get_absolute_url()}today/")
    url = re.findall('href="([^"]+)"', groups(page)["On time in full"]["Counted"]["today"])[-1]
    rows = read_csv(client.get(f"{url}{'&' if '?' in url else '?'}format=csv"))
    assert len(rows) == month_of(late).measures["otif"]["den"] + 1


def test_where_today_needs_another_window_its_numbers_lead_to_the_rows_of_its_days(client):
    made = judged.factory("VN-016", lines=40, late=4, lots=10, inspected=200)
    judged.judge()
    month = month_of(made)
    assert month.window_days == 90
    Inspection.objects.filter(factory=made).update(source=Inspection.Source.FACTORY)
    rollups.rebuild()
    sign_in(client)
    page = client.get(f"{month.get_absolute_url()}today/")
    assert groups(page)["Score and grade"]["Days"]["differs"]
    url = re.findall('href="([^"]+)"', groups(page)["On time in full"]["Counted"]["today"])[-1].replace("&amp;", "&")
    assert url.startswith("/factories/VN-016/rows/otif/?first=")
    shown = groups(page)["On time in full"]["Counted"]["today"]
    assert f">{len(read_csv(client.get(f'{url}&format=csv')))}<" in shown


def test_rows_of_any_days_may_be_those_of_one_category(client, late):
    other = make.category(code="TOYS")
    line = make.line(100, order=make.order(factory=late), product=make.product(category=other), committed_on=ago(20))
    make.category(code="NEVER")
    judged.judge(months=0)
    sign_in(client)
    url = f"/factories/VN-014/rows/otif/?first={ago(90)}&last={ago(1)}"
    assert len(read_csv(client.get(f"{url}&format=csv"))) == 13
    page = client.get(f"{url}&category=TOYS")
    assert [row["title"] for row in page.context["rows"]] == [line.code]
    assert all("category=TOYS" in tab["url"] for tab in page.context["tabs"])
    assert other.name in text(page)
    for none in ("NEVER", "NO-SUCH"):
        assert client.get(f"{url}&category={none}").status_code == 404


def test_the_page_of_today_costs_the_same_for_few_lines_and_for_many(client, late):
    judged.factory("MANY-1", lines=60, late=30, lots=30, defective=3)
    judged.judge(months=2)
    sign_in(client)
    client.get("/help/")

    month = month_of(late).period

    def queries(code):
        with CaptureQueriesContext(connection) as found:
            assert client.get(f"/factories/{code}/score/{month}/today/").status_code == 200
        return len(found)

    assert queries("VN-014") == queries("MANY-1") <= 8


def test_no_page_promises_a_cap_that_nothing_sets_off_yet(client, late):
    sign_in(client)
    for url in (month_of(late).get_absolute_url(), f"{month_of(late).get_absolute_url()}today/", "/help/"):
        assert "escalated" not in text(client.get(url)).lower()


def test_an_inspector_sees_no_amounts_of_money_on_the_page_of_today(client, late):
    sign_in(client, "inspector")
    page = client.get(f"{month_of(late).get_absolute_url()}today/")
    assert "USD" not in page.content.decode()


# What changed in the policy


def test_the_score_page_leads_managers_to_what_changed_in_the_policy_before_and_since(client, late):
    month = month_of(late)
    own = Policy.objects.create(effective_from=today(), factory=late, otif_floor=Decimal("0.85"))
    sign_in(client)
    url = client.get(month.get_absolute_url()).context["changes_url"]
    page = client.get(url)
    assert page.status_code == 200
    changed, since = page.context["parts"]
    assert changed["said"] == "Nothing was in force before it."
    assert since["changes"] == [("On time in full: Floor", "90%", "85%")]
    assert [version.pk for version, _scope, _first in since["versions"]] == [month.policy_id, own.pk]
    jobs.judge_day(today(), months=0, quiet=True)
    now = Evaluation.objects.get(factory=late, kind="night", as_of=today())
    assert now.policy == own
    changed, since = client.get(client.get(now.get_absolute_url()).context["changes_url"]).context["parts"]
    assert changed["changes"] == [("On time in full: Floor", "90%", "85%")]
    assert since["said"] == "Nothing: this version is in force."


def test_who_may_not_read_policies_is_not_led_to_them(client, late):
    for role in ("buyer", "inspector", "contact"):
        sign_in(client, role, factory=late if role == "contact" else None)
        page = client.get(month_of(late).get_absolute_url())
        assert "What changed in the policy" not in text(page)
        assert "/policies/" not in page.content.decode()


@pytest.mark.parametrize("query", ["?factory=NO-SUCH", "?factory=VN-014&category=NONE", "?factory=%00"])
def test_what_changed_for_a_factory_that_is_none_is_not_found_and_never_an_error(client, late, query):
    sign_in(client)
    found = client.get(f"/policies/{month_of(late).policy_id}/changes/{query}").status_code
    assert found == (200 if "%00" in query else 404)


def test_a_proposal_judged_nobody_and_has_no_such_page(client, late):
    asked = Policy.objects.create(
        effective_from=today(), state=Policy.State.PROPOSED, proposed_from=today(), created_by=make.user("manager")
    )
    sign_in(client)
    assert client.get(f"/policies/{asked.pk}/changes/").status_code == 404


# On paper


def test_the_score_as_pdf_says_what_the_page_says(client, late, monkeypatch):
    printed, real = [], pdf.of
    monkeypatch.setattr(pdf, "of", lambda markup: printed.append(markup) or real(markup))
    sign_in(client)
    month = month_of(late)
    page = client.get(month.get_absolute_url())
    answer = client.get(page.context["sheet_url"])
    assert answer["Content-Type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-")
    assert f"VN-014-score-{month.period}-r1.pdf" in answer["Content-Disposition"]
    shown, sheet = text(page), re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", printed[0]))
    for measure in page.context["measures"]:
        for said in ("sentence", "proof", "points_rule", "interval", "adds"):
            assert str(measure[said]) in sheet, (measure["name"], said)
            assert str(measure[said]) in shown
    assert page.context["summary"] in sheet
    assert all(gate in sheet for gate in page.context["gates"])
    assert f"run {month.pk}" in printed[0].replace("'", "")
    assert "href" not in printed[0].split("<table")[1]


def test_the_pdf_is_of_the_revision_that_is_shown(client, late):
    month = month_of(late)
    late_delivery(late)
    rollups.rebuild()
    evaluations.evaluate_month(month.as_of, [late.pk])
    sign_in(client)
    for query, revision in (("", 2), ("?kind=month&revision=1", 1)):
        page = client.get(f"{month.get_absolute_url()}{query}")
        assert f"-r{revision}.pdf" in client.get(page.context["sheet_url"])["Content-Disposition"]


def test_without_pango_the_reader_is_told_to_print_the_page(client, late, monkeypatch):
    def missing(markup):
        raise pdf.NoPango

    monkeypatch.setattr(pdf, "of", missing)
    sign_in(client)
    month = month_of(late)
    answer = client.get(f"{month.get_absolute_url()}sheet.pdf", follow=True)
    assert answer.redirect_chain[0][0] == month.get_absolute_url()
    assert "Print the page from the browser instead" in text(answer)


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_the_printed_page_fits_on_paper_without_a_script(open_page):
    made = judged.factory("VN-014", name="Hoa Binh Garment", lines=64, late=14, lots=10, defective=3)
    judged.judge(months=3)
    paper = 703  # A4 between the margins, in pixels
    page = open_page(make.user("manager"), width=paper, javascript=False)
    page.emulate_media(media="print")
    for address in ("", "otif/?counted=late", "today/"):
        page.goto(f"{month_of(made).get_absolute_url()}{address}")
        beyond = page.locator("main *").evaluate_all(
            "(all, paper) => all.filter((e) => e.getBoundingClientRect().right > paper + 1 && e.offsetParent)"
            ".map((e) => e.outerHTML.slice(0, 80))",
            paper,
        )
        assert beyond == [], address
        assert page.locator(".bar").is_hidden()
        assert page.pdf(format="A4", prefer_css_page_size=True).startswith(b"%PDF-")


# Sorted rows


def sorted_by(client, url, name):
    """The values of one column of the file."""
    return [row[name] for row in read_csv(client.get(f"{url}{'&' if '?' in url else '?'}format=csv"))]


@pytest.mark.parametrize("url", ["score", "days"])
def test_each_column_sorts_both_ways_says_so_and_the_files_follow(client, late, url):
    sign_in(client)
    days = f"first={ago(90)}&last={ago(1)}"
    base = (
        f"{night_of(late).get_absolute_url()}{{}}/?counted=all"
        if url == "score"
        else f"/factories/VN-014/rows/{{}}/?{days}&counted=all"
    )
    sorts = 0
    for measure in ("otif", "defect", "loss"):
        page = client.get(base.format(measure))
        if not page.context["rows"]:
            continue
        for head in [each for each in page.context["head"] if each.url]:
            assert "counted=all" in head.url
            first = client.get(f"{page.request['PATH_INFO']}{head.url}")
            turned = next(each for each in first.context["head"] if each.label == head.label)
            again = client.get(f"{page.request['PATH_INFO']}{turned.url}")
            back = next(each for each in again.context["head"] if each.label == head.label)
            assert {turned.aria, back.aria} == {"ascending", "descending"}
            assert first.content.decode().count("aria-sort=") == again.content.decode().count("aria-sort=") == 1
            titles = [[row["title"] for row in each.context["rows"]] for each in (first, again)]
            assert sorted(titles[0]) == sorted(titles[1])
            for each, order in ((first, titles[0]), (again, titles[1])):
                file = dict(each.context["files"])["CSV"]
                assert (
                    sorted_by(client, f"{page.request['PATH_INFO']}{file}".replace("&format=csv", ""), "row") == order
                )
            sorts += 1
    assert sorts >= 17


def test_days_late_first_or_last_and_a_line_ten_stands_behind_a_line_two(client, late):
    sign_in(client)
    url = f"{night_of(late).get_absolute_url()}otif/"
    days = [int(value) for value in sorted_by(client, f"{url}?o=-days-late", "days_late")]
    assert days == sorted(days, reverse=True)
    assert [int(value) for value in sorted_by(client, f"{url}?o=days-late", "days_late")] == sorted(days)
    rows = [row.split("/")[1] for row in sorted_by(client, f"{url}?o=row", "row")]
    assert rows == [f"L{n}" for n in range(1, 13)]
    book = load_workbook(io.BytesIO(b"".join(client.get(f"{url}?o=-days-late&format=xlsx").streaming_content)))
    names = [row[0] for row in book.active.iter_rows(min_row=2, values_only=True)]
    assert names == sorted_by(client, f"{url}?o=-days-late", "row")


@pytest.mark.parametrize(
    "order", ["nonsense", "-", "--days-late", "pk", "line__order__factory__code", "days_late", "%00", "-if-on-time"]
)
def test_an_order_that_is_none_is_the_usual_one(client, late, order):
    sign_in(client)
    url = f"{night_of(late).get_absolute_url()}otif/?counted=late"
    page = client.get(f"{url}&o={order}")
    assert page.status_code == 200
    assert [row["title"] for row in page.context["rows"]] == [row["title"] for row in client.get(url).context["rows"]]
    assert "aria-sort" not in page.content.decode()


def test_parts_pages_and_files_keep_the_order(client):
    judged.factory("MANY-1", lines=120, late=60)
    judged.judge(months=0)
    sign_in(client)
    url = night_of(Evaluation.objects.first().factory).get_absolute_url()
    page = client.get(f"{url}otif/?counted=all&o=-due-on")
    assert all("o=-due-on" in tab["url"] for tab in page.context["tabs"])
    assert "o=-due-on" in page.context["next_url"]
    assert "o=-due-on" in dict(page.context["files"])["XLSX"]
    assert "page=" not in next(head.url for head in page.context["head"] if head.label == "Due")
    seen = []
    for n in (1, 2, 3):
        seen += [row["title"] for row in client.get(f"{url}otif/?counted=all&o=-due-on&page={n}").context["rows"]]
    assert len(seen) == len(set(seen)) == 120
    assert seen == sorted_by(client, f"{url}otif/?counted=all&o=-due-on", "row")


def test_amounts_of_money_sort_within_their_currency_and_not_at_all_for_who_sees_none(client, late):
    for currency, cost in (("USD", "5"), ("CNY", "90"), ("USD", "50"), ("CNY", "7")):
        order = make.order(factory=late, currency=currency, closed_on=ago(20))
        material, product = make.material(), make.product(category=late.category)
        bill = make.bill(product=product, per_unit={material: 1})
        line = make.line(90, order=order, product=product, bill=bill, committed_on=ago(30))
        make.delivery(90, line=line, received_on=ago(30))
        supplied = make.order_material(order=order, material=material, currency=currency)
        make.material_movement(100, order_material=supplied, unit_cost=cost, moved_on=ago(50))
    judged.judge(months=0)
    url = f"{night_of(late).get_absolute_url()}loss/?counted=all"
    sign_in(client)
    money = list(
        zip(*(sorted_by(client, f"{url}&o=-value-lost", name) for name in ("currency", "value_lost")), strict=True)
    )
    amounts = [(currency, Decimal(value)) for currency, value in money]
    assert len(amounts) == 4
    assert amounts == sorted(amounts, key=lambda each: (each[0], -each[1]))
    sign_in(client, "inspector")
    usual = [row["title"] for row in client.get(url).context["rows"]]
    assert [row["title"] for row in client.get(f"{url}&o=value-lost").context["rows"]] == usual
    assert "value-lost" not in client.get(url).content.decode()


def test_rows_set_aside_left_out_and_delivered_sort_too(client, late):
    make.cancellation(line=(gone := make.line(100, order=make.order(factory=late), committed_on=ago(20))),
                      quantity=100, cancelled_on=ago(30))  # fmt: skip
    make.inspection(lot=late.lots.first(), inspected_on=ago(20), is_original=False)
    judged.judge(months=0)
    sign_in(client)
    url = night_of(late).get_absolute_url()
    for measure, part in (
        ("otif", "left-out"),
        ("defect", "left-out"),
        ("defect", "deliveries"),
        ("otif", "set-aside"),
    ):
        page = client.get(f"{url}{measure}/?counted={part}")
        assert page.context["rows"] or part == "set-aside", gone
        for head in page.context["head"]:
            for sign in ("", "-"):
                if head.url:
                    order = head.url.split("o=")[1].split("&")[0].removeprefix("-")
                    assert client.get(f"{url}{measure}/?counted={part}&o={sign}{order}").status_code == 200


def test_a_phone_that_hides_the_heads_sorts_by_links(client, late):
    sign_in(client)
    page = client.get(f"{night_of(late).get_absolute_url()}otif/?o=-days-late")
    menu = page.content.decode().split('<details class="slim-only')[1].split("</details>")[0]
    assert menu.count("<a ") == 9
    assert "largest first" in menu


# A period that was not judged


@pytest.mark.parametrize(
    "ending", ["2031-13/", "2031-12/", "2019-01-01/", "2031-13/otif/", "2031-13/today/", "2031-12/sheet.pdf"]
)
def test_a_month_that_was_not_judged_says_which_were(client, late, ending):
    client.force_login(make.user("manager"))
    page = client.get(f"/factories/VN-014/score/{ending}")
    assert page.status_code == 404
    assert "Hoa Binh Garment has no such score" in text(page)
    newest = month_of(late)
    assert f'<a href="{newest.get_absolute_url()}">' in page.content.decode()
    assert len(page.context["months"]) == 2
    assert page.context["newest_day"]["url"] == night_of(late).get_absolute_url()
    for month in page.context["months"]:
        assert client.get(month["url"]).status_code == 200


def test_a_revision_that_there_is_not_says_which_months_there_are_and_strangers_learn_nothing(client, late):
    client.force_login(make.user("manager"))
    page = client.get(f"{month_of(late).get_absolute_url()}?revision=99&kind=month")
    assert (page.status_code, len(page.context["months"])) == (404, 2)
    client.force_login(make.user("contact", factory=make.factory(code="RIVAL-1")))
    page = client.get("/factories/VN-014/score/2031-12/")
    assert page.status_code == 404
    assert "Hoa Binh" not in page.content.decode()


def test_a_factory_that_was_never_judged_says_so(client):
    make.factory(code="CN-002", name="Silent Works")
    client.force_login(make.user("manager"))
    page = client.get("/factories/CN-002/score/2025-01/")
    assert page.status_code == 404
    assert "This factory was never judged" in text(page)
