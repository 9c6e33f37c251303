"""Home, factories, scores and rows as people of each role see them."""

import csv
import io
import re
from decimal import Decimal
from fractions import Fraction

import pytest
from django.core.management import call_command
from django.db.models import Value
from django.urls import reverse
from openpyxl import load_workbook

from assessments import definitions, grading, jobs
from assessments.models import Breach, Evaluation, Policy, Watch
from assessments.views.entrance import today
from factories import folding
from factories.models import Factory
from production.models import LineOutcome
from tests import judged, make

pytestmark = pytest.mark.django_db
BUSINESS = ["manager", "buyer", "inspector", "admin"]


@pytest.fixture
def late(db):
    """Hoa Binh: 5 of 12 lines late, judged last night and for two months; and another factory without data."""
    make.factory(code="CN-002", name="Silent Works", time_zone="UTC")
    made = judged.factory("VN-014", name="Hoa Binh Garment", late=5, defective=2, city="Hanoi")
    judged.judge()
    return made


@pytest.fixture
def sign_in(client):
    def start(role, **fields):
        person = make.user(role, **fields)
        client.force_login(person)
        return person

    return start


def newest(factory):
    return Evaluation.objects.whole().filter(factory=factory, kind="night").latest("as_of")


def text(response):
    """What a reader sees: no tags, single spaces."""
    body = response.content.decode().split("<main", 1)[1].split("<footer")[0]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


@pytest.mark.parametrize("role", make.ROLES)
def test_every_role_has_a_home(client, sign_in, late, role):
    sign_in(role, factory=late if role == "contact" else None)
    assert client.get("/").status_code == 200


def test_a_stranger_is_asked_to_sign_in_and_comes_back(client, late):
    for url in ("/", "/factories/", "/factories/VN-014/", "/breaches/", "/policies/", "/search/?q=PO"):
        response = client.get(url)
        assert response.status_code == 302
        assert response["Location"].startswith("/account/login/?next=/")


def test_the_manager_sees_the_grades_what_broke_and_what_is_late(client, sign_in, late):
    sign_in("manager")
    line = make.line(300, order=make.order(factory=late, number="PO-LATE"), committed_on=judged.ago(9))
    judged.judge(months=0)
    page = client.get("/")
    assert dict((grade, n) for grade, n, _url in page.context["grades"])["failing"] == 1
    assert f'href="{reverse("factory_list")}?grade=failing"' in page.content.decode()
    assert "On time in full 53.85%, floor 90%" in text(page)  # 7 of 13, the open one among them
    assert line.code in text(page)
    assert "9 days" in text(page)


def test_the_buyer_finds_a_log_button_for_what_is_expected(client, sign_in, late):
    make.line(300, order=make.order(factory=late, number="PO-77"), committed_on=today(), number="L9")
    judged.judge(months=0)
    sign_in("buyer")
    assert f"{reverse('delivery_new')}?line=VN-014/PO-77/L9" in client.get("/").content.decode()


def test_the_inspector_finds_the_lots_that_nobody_looked_at(client, sign_in, late):
    waiting = make.lot(line=make.line(300, factory=late), code="L42")
    make.delivery(300, line=waiting.line, received_on=today(), lot=waiting)
    sign_in("inspector")
    assert [lot["code"] for lot in client.get("/").context["lots"]] == ["L42"]


def test_a_site_that_logs_nothing_while_lines_are_due_is_a_gap(client, sign_in, late):
    site = make.site(name="Dock Nine")
    make.line(300, factory=late, site=site, committed_on=judged.ago(1))
    judged.judge(months=0)
    sign_in("manager")
    assert "Dock Nine nothing was ever logged, 1 lines are due" in text(client.get("/"))


def test_the_officer_is_shown_no_business_data(client, sign_in, late):
    sign_in("officer")
    assert "Hoa Binh" not in client.get("/").content.decode()
    day = newest(late).period
    for url in (
        "/factories/", "/factories/VN-014/", f"/factories/VN-014/score/{day}/", f"/factories/VN-014/score/{day}/otif/",
        "/breaches/", "/policies/", "/search/?q=PO",
    ):  # fmt: skip
        assert client.get(url).status_code == 403, url


def test_a_contact_sees_the_own_scorecard_its_explanation_and_rows_and_no_other(client, sign_in, late):
    other = judged.factory("VN-999", name="Rival Garment")
    judged.judge(months=0)
    sign_in("contact", factory=late)
    day = newest(late).period
    for rest in ("", f"score/{day}/", f"score/{day}/otif/", f"score/{day}/defect/", f"score/{day}/loss/"):
        assert client.get(f"/factories/VN-014/{rest}").status_code == 200, rest
        foreign = client.get(f"/factories/{other.code}/{rest}")
        unknown = client.get(f"/factories/NO-SUCH/{rest}")
        assert (foreign.status_code, unknown.status_code) == (404, 404), rest
    page = client.get("/factories/")
    assert "Hoa Binh Garment" in text(page)
    assert "Rival" not in page.content.decode()
    assert "Acknowledge" not in client.get("/factories/VN-014/").content.decode()
    assert client.get("/breaches/").status_code == client.get("/policies/").status_code == 403


def test_only_those_who_follow_breaches_may_watch_and_twice_is_once(client, sign_in, late):
    for role in ("inspector", "officer", "contact"):
        sign_in(role, factory=late if role == "contact" else None)
        assert client.post("/factories/VN-014/watch/").status_code == 403
    person = sign_in("buyer")
    for _ in range(2):
        assert client.post("/factories/VN-014/watch/", {"next": "/factories/VN-014/"}).status_code == 302
    assert Watch.objects.get(user=person).factory == late
    assert "Stop watching" in client.get("/factories/VN-014/").content.decode()
    client.post("/factories/VN-014/watch/", {"watch": "off"})
    assert not Watch.objects.filter(user=person).exists()


def test_the_way_back_never_leads_to_another_site(client, sign_in, late):
    sign_in("manager")
    response = client.post("/factories/VN-014/watch/", {"next": "https://evil.example/"})
    assert response["Location"] == "/factories/VN-014/"


def test_the_list_says_too_few_data_and_never_a_rate_of_nothing(client, sign_in, late):
    sign_in("manager")
    page = text(client.get("/factories/"))
    assert "Silent Works" in page
    assert "none due" in page
    assert "0.00%" not in page
    assert "100.00%" not in page


def test_filters_live_in_the_address_and_unknown_words_are_ignored(client, sign_in, late):
    sign_in("manager")

    def codes(query):
        return [row["s"].factory.code for row in client.get(f"/factories/?{query}").context["rows"]]

    assert codes("q=hoa") == ["VN-014"]
    assert codes("grade=failing") == ["VN-014"]
    assert codes("status=no_data") == ["CN-002"]
    assert codes("country=VN&o=name") == ["VN-014", "CN-002"]
    assert codes("grade=nonsense&country=XX&o=nonsense") == ["VN-014", "CN-002"]
    assert codes("q=zzz") == []
    assert "Clear filters" in text(client.get("/factories/?q=zzz"))


def test_a_sorted_column_says_so_to_those_who_cannot_see_it(client, sign_in, late):
    sign_in("manager")
    assert 'aria-sort="descending"' in client.get("/factories/?o=-defect").content.decode()
    assert 'aria-sort="ascending"' in client.get("/factories/?o=score").content.decode()


def read_csv(response):
    assert response.content.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"))))


def test_the_file_holds_every_row_of_the_list(client, sign_in, late):
    sign_in("manager")
    rows = read_csv(client.get("/factories/?format=csv"))
    assert [row["factory"] for row in rows] == ["VN-014", "CN-002"]
    assert (rows[0]["otif_numerator"], rows[0]["otif_denominator"]) == ("7", "12")
    assert rows[1]["otif_rate"] == ""


def test_from_home_to_the_late_row_it_takes_three_clicks(client, sign_in, late):
    sign_in("manager")
    assert 'href="/factories/?grade=failing"' in client.get("/").content.decode()
    assert 'href="/factories/VN-014/"' in client.get("/factories/?grade=failing").content.decode()
    rows_url = newest(late).get_absolute_url() + "otif/?counted=late"
    assert f'href="{rows_url}"' in client.get("/factories/VN-014/").content.decode()
    assert 'href="/orders/VN-014/PO-VN-014/"' in client.get(rows_url).content.decode()


def test_the_scorecard_says_in_one_sentence_what_is_wrong(client, sign_in, late):
    sign_in("manager")
    page = text(client.get("/factories/VN-014/"))
    assert "On time in full 58.33% (7 of 12 lines), floor 90%: proven below." in page
    assert "5 lines not on time in full" in page
    assert "8 of 320 units" in page


def test_every_month_of_the_trend_leads_to_its_rows(client, sign_in, late):
    sign_in("manager")
    body = client.get("/factories/VN-014/").content.decode()
    for month in Evaluation.objects.filter(factory=late, kind="month"):
        assert f'href="{month.get_absolute_url()}otif/"' in body
        assert client.get(f"/factories/VN-014/?period={month.period}").context["evaluation"] == month


def test_a_factory_without_data_says_so(client, sign_in, late):
    sign_in("manager")
    page = client.get("/factories/CN-002/")
    assert page.status_code == 200
    assert "too few data" in text(page).lower()
    assert "%" not in text(page).replace("30% deposit", "").split("Running orders")[0].replace("90% interval", "")
    make.factory(code="NEW-1")
    assert "Not judged yet" in text(client.get("/factories/NEW-1/"))


def test_the_explanation_adds_up_to_the_score_by_hand(client, sign_in, late):
    sign_in("manager")
    evaluation = newest(late)
    page = client.get(evaluation.get_absolute_url())
    adds = [m["adds"] for m in page.context["measures"] if m["adds"] != "–"]
    assert f"{sum(float(part) for part in adds):.2f}" == f"{evaluation.score:.2f}"
    assert f"How {evaluation.score} was worked out" in text(page)
    assert "a factory exactly at 90% would have 5 or more such lines in 0.4% of such periods" in text(page)
    assert f'href="/policies/{evaluation.policy_id}/"' in page.content.decode()


def test_the_way_back_from_a_month_leads_to_the_same_month(client, sign_in, late):
    sign_in("manager")
    month = Evaluation.objects.whole().filter(factory=late, kind="month").earliest("as_of")
    score, back = month.get_absolute_url(), f"/factories/VN-014/?period={month.period}"
    days = f"first={month.period}-01&last={month.as_of}"
    for page in (score, f"{score}otif/?counted=late", f"/factories/VN-014/rows/otif/?{days}"):
        crumbs = client.get(page).content.decode().split('class="crumbs"')[1].split("</nav>")[0]
        assert f'href="{back}"' in crumbs, page
    assert client.get(back).context["evaluation"] == month
    for page in (
        newest(late).get_absolute_url(),
        f"/factories/VN-014/rows/otif/?first={judged.ago(9)}&last={judged.ago(1)}",
    ):
        assert (
            'href="/factories/VN-014/"'
            in client.get(page).content.decode().split('class="crumbs"')[1].split("</nav>")[0]
        )


def test_each_measure_is_defined_by_the_values_of_the_policy_that_judged(client, sign_in, late):
    Policy.objects.create(
        factory=late, effective_from=today(), otif_floor="0.85", otif_target="0.96", otif_zero="0.6", min_lines=7,
        window_days=60, min_units=150, min_lots=4, min_units_confirm=40, alpha_rolling="0.02", defect_limit="0.04",
    )  # fmt: skip
    sign_in("manager")
    before = without_bold(client.get(newest(late).get_absolute_url()))
    assert "Counted over 90 days. Target 98%, floor 90%, no points from 70% down. Graded from 5 due lines on" in before
    jobs.judge_day(today(), months=0, quiet=True)
    page = client.get(newest(late).get_absolute_url())
    said = without_bold(page)
    assert "Counted over 60 days. Target 96%, floor 85%, no points from 60% down. Graded from 7 due lines on" in said
    assert "chance alone gives as much in up to 2% of such periods." in said
    assert "ceiling 4%" in said
    assert "Graded from 150 units in 4 lots on; a breach is proven from 40 units on" in said
    assert "floor <b>85%</b>" in page.content.decode()
    month = Evaluation.objects.whole().filter(factory=late, kind="month").latest("as_of")
    assert "Counted over 90 days, 365 where these hold too few data." in without_bold(
        client.get(month.get_absolute_url())
    )


def without_bold(page):
    return re.sub("</?b>", "", page.content.decode())


def test_only_those_who_may_open_a_policy_get_its_link(client, sign_in, late):
    sign_in("contact", factory=late)
    assert "/policies/" not in client.get(newest(late).get_absolute_url()).content.decode()


def test_the_rows_are_as_many_as_the_tabs_say_and_the_file_has_the_same(client, sign_in, late):
    sign_in("manager")
    url = newest(late).get_absolute_url()
    for measure, part, n in (
        ("otif", "late", 5),
        ("otif", "on-time", 7),
        ("otif", "all", 12),
        ("defect", "defective", 4),
    ):
        page = client.get(f"{url}{measure}/?counted={part}")
        assert len(page.context["rows"]) == n
        assert [tab["count"] for tab in page.context["tabs"] if tab["current"]] == [n]
        assert len(read_csv(client.get(f"{url}{measure}/?counted={part}&format=csv"))) == n


def test_a_late_line_says_what_it_would_have_done_on_time(client, sign_in):
    factory = judged.factory("VN-020", lines=40, late=5)
    judged.judge(months=0)
    sign_in("manager")
    evaluation = newest(factory)
    address = f"{evaluation.get_absolute_url()}otif/?counted="
    page = client.get(f"{address}late")
    share = Decimal(evaluation.measures["otif"]["share"])
    marks = grading.Marks(Decimal("0.98"), Decimal("0.90"), Decimal("0.70"))
    before, after = (grading.points(Fraction(n, 40), marks) for n in (35, 36))
    assert {row["cells"][-1].content for row in page.context["rows"]} == {"90.00%"}
    gain = grading.half_up((after - before) * Fraction(share), 2)
    assert f"90.00% (36 of 40 lines), and a score higher by {gain}." in text(page)
    assert "Effects of several lines do not add up" in text(page)
    assert {float(row["if_on_time"]) for row in read_csv(client.get(f"{address}late&format=csv"))} == {0.9}
    for other in ("on-time", "all", "set-aside"):
        assert "If on time" not in text(client.get(address + other))
    days = f"/factories/VN-020/rows/otif/?counted=late&first={judged.ago(90)}&last={judged.ago(1)}"
    assert {row["cells"][-1].content for row in client.get(days).context["rows"]} == {"90.00%"}
    LineOutcome.objects.filter(line__number="L1", factory=factory).update(is_otif=True)
    page = client.get(f"{address}late")
    assert {row["cells"][-1].content for row in page.context["rows"]} == {"92.50%"}
    assert "a score higher" not in text(page), "that would be of other rows than these"


def test_below_the_last_point_one_line_on_time_changes_no_score(client, sign_in, late):
    sign_in("manager")
    page = text(client.get(f"{newest(late).get_absolute_url()}otif/?counted=late"))
    assert "66.67% (8 of 12 lines), and the same score." in page


@pytest.mark.parametrize("page", ["score", "days"])
def test_the_rows_of_every_part_are_a_workbook_too(client, sign_in, late, page):
    make.cancellation(line=(gone := make.line(100, order=make.order(factory=late), committed_on=judged.ago(20))),
                      quantity=100, cancelled_on=judged.ago(30))  # fmt: skip
    make.inspection(lot=late.lots.first(), inspected_on=judged.ago(20), is_original=False)
    late.lots.filter(pk=late.lots.first().pk).update(code="=1+1")
    judged.judge(months=0)
    sign_in("manager")
    score = newest(late).get_absolute_url()
    days = f"first={judged.ago(90)}&last={judged.ago(1)}"
    for measure, part in (("otif", "late"), ("otif", "left-out"), ("defect", "all"), ("defect", "left-out"),
                          ("defect", "deliveries"), ("defect", "set-aside"), ("loss", "all")):  # fmt: skip
        address = f"{score}{measure}/?" if page == "score" else f"/factories/{late.code}/rows/{measure}/?{days}&"
        address += f"counted={part}"
        assert b"XLSX" in client.get(address).content
        plain = read_csv(client.get(f"{address}&format=csv"))
        book = load_workbook(io.BytesIO(b"".join(client.get(f"{address}&format=xlsx").streaming_content)))
        head, *rows = book.active.iter_rows(values_only=True)
        assert [row[0] for row in rows] == [row["row"] for row in plain]
        assert not [cell for row in rows for cell in row if str(cell).startswith("=")]
        if part == "left-out" and measure == "otif":
            assert rows[0][head.index("quantity")] == 100, gone
        if part == "left-out" and measure == "defect":
            assert rows[0][head.index("inspected")] == 80


def test_rows_that_do_not_count_stand_apart_with_the_reason(client, sign_in, late):
    line = make.line(100, order=make.order(factory=late), committed_on=judged.ago(20))
    make.cancellation(line=line, quantity=100, cancelled_on=judged.ago(30))
    again = make.inspection(lot=late.lots.first(), inspected_on=judged.ago(20), is_original=False)
    judged.judge(months=0)
    sign_in("manager")
    url = newest(late).get_absolute_url()
    assert "Cancelled by us in time" in text(client.get(f"{url}otif/?counted=left-out"))
    page = text(client.get(f"{url}defect/?counted=left-out"))
    assert again.code in page
    assert "a repeat after rework" in page


def test_a_page_says_when_todays_facts_are_no_longer_those_that_were_judged(client, sign_in, late):
    sign_in("manager")
    url = newest(late).get_absolute_url()
    assert "Facts have changed" not in text(client.get(f"{url}otif/"))
    line = late.lines.get(number="L1")
    line.outcome.is_otif = True
    line.outcome.save()
    assert "Facts have changed since this was computed. Stored: 7 of 12 lines." in text(client.get(f"{url}otif/"))


def test_an_inspector_sees_no_amounts_of_money(client, sign_in, late):
    stored = dict(newest(late).measures)
    stored["loss"] = stored["loss"] | {
        "status": "breach", "applicable": True, "sufficient": True, "num": "123.45", "den": "1000", "rate": "0.12345",
        "currency": "USD", "orders": 3, "charge": "93.45",
    }  # fmt: skip
    old = newest(late)
    values = {f.attname: getattr(old, f.attname) for f in Evaluation._meta.fields if f.name not in ("id", "measures")}
    Evaluation.objects.create(**(values | {"revision": old.revision + 1, "measures": stored, "digest": "x"}))
    url = newest(late).get_absolute_url()
    for role, shown in (("inspector", False), ("buyer", True), ("contact", True)):
        sign_in(role, factory=late if role == "contact" else None)
        for page in ("/factories/VN-014/", url, f"{url}loss/"):
            assert ("USD" in client.get(page).content.decode()) is shown, (role, page)


@pytest.mark.parametrize("period", ["2026-13", "2026-02-30", "1999-01", "2026-1", "today", "2026-11-22-1"])
def test_a_period_that_is_none_is_not_found(client, sign_in, late, period):
    sign_in("manager")
    assert client.get(f"/factories/VN-014/score/{period}/").status_code == 404


def test_late_facts_make_a_revision_and_the_earlier_one_stays_readable(client, sign_in, late):
    month = Evaluation.objects.filter(factory=late, kind="month").earliest("as_of")
    values = {f.attname: getattr(month, f.attname) for f in Evaluation._meta.fields if f.name != "id"}
    Evaluation.objects.create(**(values | {"revision": 2, "digest": "x"}))
    sign_in("manager")
    page = client.get(month.get_absolute_url())
    assert page.context["evaluation"].revision == 2
    old = page.context["revisions"][1]["url"]
    assert client.get(f"{month.get_absolute_url()}{old}").context["evaluation"].revision == 1


def test_search_opens_what_a_code_names_and_lists_the_rest(client, sign_in, late):
    sign_in("manager")
    delivery = late.deliveries.first()
    for typed, url in (
        ("vn-014", "/factories/VN-014/"), ("po-vn-014", "/orders/VN-014/PO-VN-014/"), (delivery.code, delivery.get_absolute_url()),
        (delivery.code.lower().replace("-", ""), delivery.get_absolute_url()), ("ＶＮ-０１４", "/factories/VN-014/"),
    ):  # fmt: skip
        assert client.get("/search/", {"q": typed})["Location"] == url, typed
    assert "Hoa Binh Garment" in text(client.get("/search/?q=binh"))
    assert "Nothing is called" in text(client.get("/search/?q=no-such-thing"))
    assert client.get("/search/?q=D-999999999999999999").status_code == 200


@pytest.mark.parametrize("typed", ["dai phat", "Đại Phát", "DAI", "ĐẠI", "ｄａｉ", "Da\u0323i"])
def test_search_does_not_ask_for_the_marks_on_letters(client, sign_in, typed):
    make.factory(code="VN-077", name="Công ty Đại Phát")
    product = make.product(code="SKU-77", name="Áo thun Đại")
    make.line(product=product, order=make.order(factory=make.factory(code="VN-078")))
    sign_in("manager")
    page = text(client.get("/search/", {"q": typed}))
    assert "Công ty Đại Phát" in page
    assert ("Áo thun Đại" in page) == (len(typed) < 5)
    assert (
        folding.folded(typed)
        == Factory.objects.annotate(same=folding.Folded(Value(typed))).values_list("same", flat=True)[0]
    )


def test_search_finds_products_by_code_and_name_and_leads_to_their_orders(client, sign_in):
    line = make.line(product=make.product(code="SKU-77", name="Crew-neck T-shirt"))
    make.line(product=make.product(code="SKU-78", name="Skirt"))
    sign_in("buyer")
    for typed in ("sku-77", "t-shirt"):
        assert "/orders/?state=all&amp;q=SKU-77" in client.get("/search/", {"q": typed}).content.decode()
    orders = client.get("/orders/", {"state": "all", "q": "SKU-77"}).context["rows"]
    assert [row["order"] for row in orders] == [line.order]


def test_search_never_finds_what_is_not_ones_own(client, sign_in, late):
    other = judged.factory("VN-999", name="Rival Garment")
    secret = other.lines.first().product
    sign_in("contact", factory=late)
    for typed in ("VN-999", "PO-VN-999", other.deliveries.first().code, "Rival", "VN-999-0", secret.code, secret.name):
        page = client.get("/search/", {"q": typed})
        assert page.status_code == 200
        assert "Nothing is called" in text(page)
    breach = Breach.objects.filter(factory=late).first()
    assert "Nothing is called" in text(client.get("/search/", {"q": breach.code}))


def test_the_theme_is_kept_with_the_person(client, sign_in):
    person = sign_in("buyer")
    assert client.post("/theme/", {"theme": "dark", "next": "/factories/"})["Location"] == "/factories/"
    person.refresh_from_db()
    assert person.theme == "dark"
    assert client.post("/theme/", {"theme": "pink"}).status_code == 400
    assert client.get("/theme/").status_code == 405


def test_help_explains_the_four_states_to_everybody(client, sign_in):
    sign_in("officer")
    page = text(client.get("/help/"))
    assert all(word in page for word in ("On target", "Watch", "Breach", "Too few data"))


def test_no_page_holds_an_inline_style_or_script(client, sign_in, late):
    sign_in("manager")
    url = newest(late).get_absolute_url()
    for page in (
        "/",
        "/factories/",
        "/factories/VN-014/",
        url,
        f"{url}otif/",
        "/breaches/",
        "/policies/new/",
        "/help/",
    ):
        body = client.get(page).content.decode()
        assert not re.search(r"\sstyle=|<style|\son\w+=|<script(?![^>]*\bsrc=)|javascript:", body), page


def test_sign_up_and_what_we_do_not_use_of_the_sign_in_package_has_no_address(client):
    for path in ("signup/", "email/", "login/code/", "confirm-email/x/", "2fa/webauthn/", "social/connections/"):
        assert client.get(f"/account/{path}").status_code in (302, 404)
        assert "allauth" not in client.get(f"/account/{path}").headers.get("Location", "")
    assert client.get("/account/login/").status_code == 200
    assert Factory.objects.count() == 0


def test_the_administration_is_entered_through_the_one_sign_in(client, sign_in):
    for url in ("/admin-area/", "/admin-area/login/", "/admin-area/assessments/policy/"):
        assert client.get(url, follow=True).redirect_chain[-1][0].startswith("/account/login/?next=/admin-area/"), url
    assert client.post("/admin-area/login/", {"username": "x", "password": "y"}).status_code == 302
    for role in ("manager", "officer", "contact"):
        sign_in(role)
        assert client.get("/admin-area/", follow=True).status_code == 403
    sign_in("admin")
    assert client.get("/admin-area/login/")["Location"] == "/admin-area/"
    for model in ("policy", "evaluation", "breach", "watch", "jobslot"):
        assert client.get(f"/admin-area/assessments/{model}/").status_code == 200, model


def test_the_administration_adds_a_policy_and_changes_none(client, sign_in, late):
    sign_in("admin")
    evaluation = newest(late)
    assert client.get("/admin-area/assessments/policy/add/").status_code == 200
    for url in (f"policy/{evaluation.policy_id}", f"evaluation/{evaluation.pk}", f"breach/{Breach.objects.first().pk}"):
        assert client.get(f"/admin-area/assessments/{url}/change/").status_code == 200
        assert client.post(f"/admin-area/assessments/{url}/change/", {}).status_code == 403
        assert client.post(f"/admin-area/assessments/{url}/delete/", {"post": "yes"}).status_code == 403


def test_the_scorecard_on_the_command_line_speaks_as_the_page_does(late):
    evaluation = newest(late)
    printed = io.StringIO()
    call_command("scorecard", late.code, as_of=evaluation.as_of, stdout=printed)
    assert re.search(r"On time in full +58\.33 %  7 of 12 lines +Breach", printed.getvalue()), printed.getvalue()
    assert re.search(r"Defect rate +\d\.\d\d %  [\d,]+ of [\d,]+ units ", printed.getvalue())
    stored = evaluation.measures["defect"]
    word = "Within the limit" if Fraction(stored["num"], stored["den"]) > Fraction(1, 100) else "On target"
    assert re.search(rf"Defect rate .* {word} +adds", printed.getvalue()), printed.getvalue()


def test_one_closed_order_is_told_in_the_singular(late):
    evaluation = newest(late)
    evaluation.measures["loss"] |= {"target": "0.01", "limit": "0.03", "zero": "0.06"}
    assert "Graded from <b>1</b> closed order on;" in definitions.definition("loss", evaluation)
    evaluation.policy.min_orders = 2
    assert "Graded from <b>2</b> closed orders on;" in definitions.definition("loss", evaluation)


def test_an_empty_ranking_counts_no_more_factories(client, sign_in, late):
    sign_in("manager")
    ranking = client.get("/compare/", {"view": "league", "m": "loss"}).content.decode()
    assert "No factory of this list has data in these days." in ranking
    assert "more factor" not in ranking
