"""What a grade brings with it: on the pages of the grades, in the standings of the factories, in overrides."""

import datetime
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from assessments import consequences
from assessments.models import Evaluation, Policy
from assessments.views.entrance import today
from factories.models import Standing, StandingOverride
from production import placing
from tests import make

ONE = datetime.timedelta(days=1)


def text(response):
    body = response.content.decode().split("<main", 1)[1].split("<footer")[0]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


@pytest.fixture
def factory(db):
    return make.factory(code="VN-014", name="Hoa Binh Garment", time_zone="UTC")


@pytest.fixture
def buyer(client, db):
    person = make.user("buyer", name="Li Wei")
    client.force_login(person)
    return person


# Standings


def month(factory, as_of, grade, revision=1):
    return Evaluation.objects.create(
        factory=factory, kind="month", as_of=as_of, revision=revision, policy=Policy.objects.first(), published_grade=grade,
        raw_grade=grade, window_days=90, sums={}, measures={},
    )  # fmt: skip


def test_the_standing_follows_the_newest_published_month(factory):
    month(factory, "2026-09-30", "failing")
    assert consequences.apply() == 1
    month(factory, "2026-10-31", "passing")
    month(factory, "2026-08-31", "excellent", revision=2)
    assert consequences.apply() == 1
    standing = Standing.objects.get()
    assert (standing.grade, standing.orders, standing.inspection) == ("passing", "warn", "tightened")
    assert standing.since_on == make.day("2026-10-31")


def test_applying_twice_changes_nothing_and_takes_one_statement(factory, django_assert_num_queries):
    make.factory()
    with django_assert_num_queries(1):
        assert consequences.apply() == 2
    for _ in range(8):
        make.factory()
    consequences.apply()
    before = list(Standing.objects.order_by("pk").values())
    with django_assert_num_queries(1):
        assert consequences.apply() == 0
    assert list(Standing.objects.order_by("pk").values()) == before


# The pages


def grade_form(client, grade, **changes):
    form = client.get(f"/grades/{grade}/").context["form"]
    values = {field.html_name: field.value() for field in form}
    return {name: str(value) for name, value in values.items() if value not in (None, False)} | changes


@pytest.mark.parametrize(
    "role, reads, writes",
    [("manager", 200, 200), ("admin", 200, 200), ("buyer", 200, 403), ("inspector", 200, 403), ("contact", 200, 403),
     ("officer", 403, 403)],
)  # fmt: skip
def test_everybody_in_the_business_reads_the_grades_and_only_managers_change_them(client, factory, role, reads, writes):
    client.force_login(make.user(role, factory=factory if role == "contact" else None))
    lifted = make.override(factory, from_on=today(), until_on=today() + 30 * ONE)
    assert client.get("/grades/").status_code == reads
    assert client.get("/grades/failing/").status_code == writes
    assert client.get("/factories/VN-014/overrides/").status_code == writes
    if writes == 403:
        for address in (
            "/grades/failing/",
            "/factories/VN-014/overrides/",
            f"/factories/VN-014/overrides/{lifted.pk}/end/",
        ):
            form = {"orders": "free", "reason": "please", "from_on": str(today()), "until_on": str(today())}
            assert client.post(address, form).status_code == 403
        assert StandingOverride.objects.get().ended_at is None


def test_the_grades_are_listed_best_first_with_what_they_bring_and_who_bears_them(client, buyer, factory):
    make.standing(factory, "failing")
    make.factory()
    page = client.get("/grades/")
    assert [row["row"].grade for row in page.context["rows"]] == [
        "excellent",
        "good",
        "passing",
        "failing",
        "not_rated",
    ]
    assert [row["n"] for row in page.context["rows"]] == [0, 0, 0, 1, 1]
    assert 'href="/factories/?grade=failing"' in page.content.decode()
    failing = text(page).split("Failing")[1].split("Not rated")[0]
    assert "– No new orders Every unit is inspected Owes an improvement plan No deposit, payment after" in failing
    assert "Open orders worth USD 20,000.00 at most" in text(page)


def test_an_inspector_reads_no_amounts_and_no_terms_of_payment(client, factory):
    client.force_login(make.user("inspector"))
    make.standing(factory, "not_rated")
    for address in ("/grades/", "/factories/VN-014/"):
        page = text(client.get(address))
        assert "A cap on open orders" in page
        assert "20,000" not in page
        assert "deposit" not in page.lower()
        assert "Payment" not in page


def test_a_contact_finds_the_own_level_marked_and_nobody_elses(client, factory):
    make.standing(factory, "failing")
    make.standing(make.factory(name="Someone Else"), "good")
    client.force_login(make.user("contact", factory=factory))
    page = text(client.get("/grades/"))
    assert "Your level" in page
    assert "Hoa Binh Garment" in page.split("Failing")[1].split("Not rated")[0]
    assert "Someone Else" not in page
    assert "1 factory" not in page


def test_the_list_of_grades_costs_the_same_for_few_factories_and_for_many(client, buyer, factory):
    client.get("/grades/")
    counts = []
    for n in (1, 10):
        for _ in range(n):
            make.standing(make.factory(), "good")
        with CaptureQueriesContext(connection) as found:
            client.get("/grades/")
        counts.append(len(found))
    assert counts[0] == counts[1]


def test_a_change_of_a_grade_reaches_every_factory_that_bears_it_at_once(client, factory):
    client.force_login(make.user("manager", name="Mai Tran"))
    month(factory, "2026-10-31", "good")
    consequences.apply()
    make.factory()
    consequences.apply()
    data = grade_form(client, "good", orders="warn", max_open_value="50000", cap_currency="eur")
    page = client.post("/grades/good/", data, follow=True)
    assert "Saved what good brings with it: 1 factory changed." in page.content.decode()
    standing = Standing.objects.get(factory=factory)
    assert (standing.orders, standing.max_open_value, standing.cap_currency) == ("warn", 50000, "EUR")
    history = text(client.get("/grades/good/")).split("History")[1]
    assert "Mai Tran changed" in history
    assert "new orders: New orders as usual → A warning on every new order" in history


@pytest.mark.parametrize("changes, said", [({"max_open_value": "0"}, "A cap is more than 0"),
                                           ({"cap_currency": "dollars"}, "three-letter"), ({"orders": ""}, "required")])  # fmt: skip
def test_what_makes_no_sense_of_a_grade_is_refused(client, factory, changes, said):
    client.force_login(make.user("manager"))
    page = client.post("/grades/good/", grade_form(client, "good", **changes))
    assert page.status_code == 422
    assert said in text(page) or "at most 3 characters" in text(page)


def test_an_unknown_grade_is_not_found(client, db):
    client.force_login(make.user("manager"))
    assert client.get("/grades/superb/").status_code == 404


def grant(client, **changes):
    data = {"reason": "The moulds are there", "from_on": str(today()), "until_on": str(today() + 30 * ONE)} | changes
    return client.post("/factories/VN-014/overrides/", data)


def test_a_manager_grants_an_override_and_ends_it_early(client, factory):
    manager = make.user("manager", name="Mai Tran")
    client.force_login(manager)
    make.standing(factory, "failing")
    assert client.get("/factories/VN-014/overrides/").context["form"]["from_on"].value() == today()
    assert grant(client).status_code == 302
    lifted = StandingOverride.objects.get()
    assert (lifted.factory, lifted.granted_by, lifted.until_on) == (factory, manager, today() + 30 * ONE)
    assert placing.decide(factory, {}, lifted.until_on).allowed
    assert not placing.decide(factory, {}, lifted.until_on + ONE).allowed
    assert "In force" in text(client.get("/factories/VN-014/overrides/"))
    for _ in range(2):
        client.post(f"/factories/VN-014/overrides/{lifted.pk}/end/")
    assert not placing.decide(factory, {}, today()).allowed
    ended = StandingOverride.objects.get().ended_at
    assert ended is not None
    assert lifted.events.count() == 2
    assert "End it now" not in text(client.get("/factories/VN-014/overrides/"))


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"reason": " "}, "Say why"),
        ({"until_on": ""}, "An override has a last day"),
        ({"until_on": str(today() + 90 * ONE)}, "longer than 90 days"),
        ({"until_on": str(today() - ONE)}, "The last day cannot lie before the first"),
        ({"from_on": str(today() - ONE)}, "cannot begin in the past"),
    ],
)
def test_an_override_needs_a_reason_and_an_end_within_ninety_days(client, factory, changes, said):
    client.force_login(make.user("manager"))
    page = grant(client, **changes)
    assert page.status_code == 422
    assert said in text(page)
    assert grant(client, until_on=str(today() + 89 * ONE)).status_code == 302


def test_an_override_of_one_factory_is_not_ended_through_another(client, factory):
    client.force_login(make.user("manager"))
    lifted = make.override(make.factory(code="CN-002"), from_on=today(), until_on=today())
    assert client.post(f"/factories/VN-014/overrides/{lifted.pk}/end/").status_code == 404


def test_the_list_of_factories_shows_who_bears_the_badge(client, buyer, factory):
    make.factory(code="VN-015", name="Song Hong")
    badge = re.compile(r"<th.*?</th>", re.DOTALL)
    for grade, bears in (("good", False), ("excellent", True), ("good", False)):
        make.standing(factory, grade)
        page = client.get("/factories/").content.decode()
        rows = [row for row in badge.findall(page) if "/factories/VN-" in row]
        assert [">Badge<" in row for row in rows] == [bears, False]
        file = client.get("/factories/?format=csv").content.decode("utf-8-sig").splitlines()
        assert [row.split(",")[5] for row in file] == ["badge", "yes" if bears else "", ""]


def test_the_scorecard_says_what_the_grade_brings_and_who_lifted_it(client, buyer, factory):
    make.standing(factory, "failing")
    make.override(factory, from_on=today(), until_on=today() + 30 * ONE)
    page = text(client.get("/factories/VN-014/"))
    assert "Failing since 12 Nov 2026 No new orders Every unit is inspected Owes an improvement plan" in page
    assert f"Override until {today() + 30 * ONE:%-d %b %Y} by Mai Tran: The moulds are there" in page


def test_the_reason_of_an_override_is_ours_and_not_the_factorys(client, factory):
    make.standing(factory, "failing")
    make.override(factory, from_on=today(), until_on=today() + 30 * ONE)
    client.force_login(make.user("contact", factory=factory))
    page = text(client.get("/factories/VN-014/"))
    assert "The moulds are there" not in page
    assert "Mai Tran" not in page
    assert "Orders are open until" in page
