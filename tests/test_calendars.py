"""Working calendars: public holidays taken in from a package, days set by hand, a factory with a calendar of its own."""

import datetime
import re
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test.utils import CaptureQueriesContext

from factories import public_holidays
from factories.models import CalendarException, Factory, WorkingCalendar, WorkingDay
from factories.public_holidays import NotTaken, PublicDay, days_of, last_known_year, take_in
from production import calendars, rollups
from production.judging import judge, with_facts
from production.models import LineOutcome, OrderLine
from tests import make

pytestmark = pytest.mark.django_db
day = make.day


@pytest.fixture
def manager(client):
    person = make.user("manager", name="Mai Tran")
    client.force_login(person)
    return person


def text(response):
    body = response.content.decode().split("<main", 1)[1].split("<footer")[0]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def open_days(calendar, first, last):
    return set(WorkingDay.objects.filter(calendar=calendar, day__range=(first, last)).values_list("day", flat=True))


def works(calendar, *days):
    return [WorkingDay.objects.filter(calendar=calendar, day=day(each)).exists() for each in days]


# What the package knows


def test_china_works_on_the_weekends_that_make_up_for_its_long_holidays():
    """The State Council's announcement for 2024."""
    found = days_of("CN", 2024)
    assert {str(each.day) for each in found if each.is_open} == {
        "2024-02-04", "2024-02-18", "2024-04-07", "2024-04-28", "2024-05-11", "2024-09-14", "2024-09-29", "2024-10-12",
    }  # fmt: skip
    closed = {each.day for each in found if not each.is_open}
    for first, last in (("2024-02-12", "2024-02-16"), ("2024-05-01", "2024-05-03"), ("2024-10-01", "2024-10-04")):
        span = (day(last) - day(first)).days + 1
        assert {day(first) + datetime.timedelta(days=n) for n in range(span)} <= closed
    names = {str(each.day): each.name for each in found}
    assert names["2024-02-16"] == "Day off (worked on 2024-02-18 instead)"
    assert names["2024-02-18"] == "Make-up working day for 2024-02-16"
    assert names["2024-04-04"] == "Tomb-Sweeping Day"


@pytest.mark.parametrize("country, year, some", [
    ("CN", 2025, {"2025-01-28", "2025-02-04", "2025-10-08"}),
    ("VN", 2026, {"2026-02-17", "2026-04-30", "2026-09-02"}),
    ("IN", 2026, {"2026-01-26", "2026-08-15", "2026-10-02"}),
])  # fmt: skip
def test_the_holidays_of_a_country_are_its_own(country, year, some):
    found = days_of(country, year)
    assert some <= {str(each.day) for each in found if not each.is_open}
    assert [each.day for each in found] == sorted({each.day for each in found}), "a day stands once, in order"
    assert all(each.name.isascii() or country != "CN" for each in found), "in words that we read"


def test_a_year_whose_make_up_days_are_not_announced_has_the_holidays_of_the_law_only():
    year = last_known_year("CN") + 1
    found = days_of("CN", year)
    assert not any(each.is_open for each in found)
    assert not any("observed" in each.name or "worked on" in each.name for each in found), "those are guesses"
    assert {(5, 1), (10, 1), (10, 3)} <= {(each.day.month, each.day.day) for each in found}


def test_a_country_without_holidays_is_refused():
    for country in ("XX", "", "vn", "__class__"):
        with pytest.raises(NotTaken, match="is not a country whose holidays are known"):
            days_of(country, 2026)


# Taking in


def test_taking_in_fills_a_calendar_and_a_second_time_adds_nothing():
    calendar = make.calendar()
    done = take_in(calendar, "CN", [2024, 2025])
    assert len(done.added) == calendar.exceptions.count() > 50
    assert set(calendar.exceptions.values_list("source", flat=True)) == {public_holidays.source()}
    assert works(calendar, "2024-02-04", "2024-02-16", "2024-02-18", "2024-02-19") == [True, False, True, True]
    calendar.refresh_from_db()
    assert (calendar.country, calendar.known_years) == ("CN", [2024, 2025])
    before = list(calendar.exceptions.order_by("pk").values())
    again = take_in(calendar, "CN", [2024, 2025])
    assert (again.added, again.removed, again.changed) == ([], [], [])
    assert "nothing new" in again.sentences[0]
    assert list(calendar.exceptions.order_by("pk").values()) == before


def test_a_day_set_by_hand_wins_and_is_never_overwritten():
    calendar = make.calendar()
    calendars.set_by_hand(calendar, day("2026-10-01"), day("2026-10-01"), True, "We work")
    done = take_in(calendar, "CN", [2026])
    assert [str(each.day) for each in done.overruled] == ["2026-10-01"]
    assert "Set by hand, so left as it is: 2026-10-01." in done.sentences
    assert works(calendar, "2026-10-01", "2026-10-02") == [True, False]
    calendars.set_by_hand(calendar, day("2026-10-10"), day("2026-10-10"), False, "No make-up for us")
    assert works(calendar, "2026-10-10") == [False]
    take_in(calendar, "CN", [2026])
    assert works(calendar, "2026-10-01", "2026-10-10") == [True, False]
    calendar.exceptions.filter(source="").delete()
    assert works(calendar, "2026-10-01", "2026-10-10") == [False, True], "what was taken in counts again"


def test_what_vanished_from_the_package_is_removed_and_what_moved_is_told():
    calendar = make.calendar()
    take_in(calendar, "VN", [2026])
    calendars.set_by_hand(calendar, day("2026-06-01"), day("2026-06-01"), False, "Power cut")
    calendar.exceptions.create(day=day("2026-03-03"), name="No more", source="holidays 0.1")
    calendar.exceptions.filter(day=day("2026-01-01")).update(name="Another name", source="holidays 0.1")
    done = take_in(calendar, "VN", [2026])
    assert [str(each.day) for each in done.removed] == ["2026-03-03"]
    assert [(str(each.day), each.name) for each in done.changed] == [("2026-01-01", "New Year's Day")]
    assert done.added == []
    assert "No longer a public holiday: 2026-03-03." in done.sentences
    assert calendar.exceptions.get(day=day("2026-01-01")).source == public_holidays.source()
    assert calendar.exceptions.get(source="").name == "Power cut"
    # Another year is left alone.
    calendar.exceptions.create(day=day("2027-03-03"), name="Later", source="holidays 0.1")
    assert take_in(calendar, "VN", [2026]).removed == []


def test_a_year_beyond_what_is_announced_is_told_and_corrected_later(monkeypatch):
    calendar = make.calendar()
    last = last_known_year("CN")
    done = take_in(calendar, "CN", [last, last + 1])
    assert done.unknown == [last + 1]
    assert any(f"Not known yet: the make-up days of {last + 1}." in sentence for sentence in done.sentences)
    calendar.refresh_from_db()
    assert calendar.known_years == [last]
    assert calendar.known_until(datetime.date(last, 5, 1)) == datetime.date(last, 12, 31)
    assert calendar.known_until(datetime.date(last + 1, 5, 1)) is None
    # A newer package knows it.
    monkeypatch.setattr(public_holidays, "last_known_year", lambda country: last + 1)
    monkeypatch.setattr(
        public_holidays, "days_of", lambda country, year: [PublicDay(datetime.date(year, 2, 13), "Make-up", True)]
    )
    later = take_in(calendar, "CN", [last + 1])
    assert (later.unknown, len(later.added)) == ([], 1)
    assert later.removed
    calendar.refresh_from_db()
    assert calendar.known_until(datetime.date(last, 5, 1)) == datetime.date(last + 1, 12, 31)


def test_a_year_of_which_the_package_knows_nothing_is_told():
    done = take_in(make.calendar(), "LK", [2045])
    assert done.absent == [2045]
    assert any("Not known at all: 2045." in sentence for sentence in done.sentences)


def test_feasts_by_the_moon_are_told_as_estimates():
    assert take_in(make.calendar(), "BD", [2030]).estimated > 0


def test_a_calendar_has_one_country_and_one_storey():
    base = make.calendar()
    take_in(base, "VN", [2026])
    with pytest.raises(NotTaken, match="has the holidays of Vietnam"):
        take_in(base, "CN", [2026])
    own = make.calendar(base=base)
    with pytest.raises(NotTaken, match="builds on another"):
        take_in(own, "VN", [2026])
    for years in ([], [1999], [2050]):
        with pytest.raises(NotTaken, match="between 2000 and 2049"):
            take_in(base, "VN", years)
    for write in (
        lambda: make.calendar(base=own),
        lambda: WorkingCalendar.objects.filter(pk=base.pk).update(base=make.calendar(), country=""),
        lambda: WorkingCalendar.objects.filter(pk=own.pk).update(base=own),
    ):
        with pytest.raises(IntegrityError) as caught, transaction.atomic():
            write()
        assert caught.value.__cause__.diag.constraint_name == "calendars_build_one_storey"


def test_taking_in_costs_the_same_for_one_year_and_for_ten(django_assert_max_num_queries):
    for years in ([2024], range(2016, 2026)):
        with django_assert_max_num_queries(12):
            take_in(make.calendar(), "CN", years)


# A calendar of one factory's own


def test_a_calendar_of_its_own_has_the_holidays_of_its_base_and_its_own_days_win():
    base = make.calendar()
    own = make.calendar(weekend=[7], base=base)
    take_in(base, "CN", [2026])
    assert works(own, "2026-10-01", "2026-10-02") == [False, False]
    assert works(own, "2026-08-15", "2026-08-16") == [True, False], "its own week"
    calendars.set_by_hand(own, day("2026-10-02"), day("2026-10-02"), True, "One machine runs")
    calendars.set_by_hand(own, day("2026-08-10"), day("2026-08-14"), False, "Summer closing")
    assert works(own, "2026-10-02", "2026-08-12") == [True, False]
    assert works(base, "2026-10-02", "2026-08-12") == [False, True]
    calendars.set_by_hand(base, day("2026-10-02"), day("2026-10-03"), False, "The country is closed")
    assert works(own, "2026-10-02", "2026-10-03") == [True, False], "own before base, even where that was set by hand"


def test_the_database_and_python_read_a_calendar_alike():
    base = make.calendar()
    take_in(base, "CN", [2026])
    calendars.set_by_hand(base, day("2026-05-09"), day("2026-05-09"), False, "No make-up")
    own = make.calendar(weekend=[7], base=base)
    calendars.set_by_hand(own, day("2026-02-18"), day("2026-02-19"), True, "Urgent order")
    for calendar in (base, own):
        seen = {each.day for each in calendars.year_of(calendar, 2026) if each.kind in ("open", "make_up")}
        assert seen == open_days(calendar, day("2026-01-01"), day("2026-12-31"))


def test_the_worked_example_of_the_page_on_calendars():
    calendar = make.calendar()
    line = make.line(10, calendar=calendar, grace_unit="working", grace_days=1, committed_on=day("2024-04-03"))
    take_in(calendar, "CN", [2024])
    rollups.rebuild()
    assert LineOutcome.objects.get(line=line).limit_on == day("2024-04-07")


@pytest.mark.parametrize("through", ["the calendar", "its base"])
def test_a_changed_calendar_is_worked_out_again_for_the_lines_that_count_by_it(through):
    base = make.calendar()
    own = make.calendar(base=base)
    calendar = base if through == "the calendar" else own
    terms = {"grace_unit": "working", "grace_days": 2, "committed_on": day("2026-09-30")}
    line, other = make.line(10, calendar=calendar, **terms), make.line(10, calendar=make.calendar(), **terms)
    rollups.rebuild()
    limit = lambda each: LineOutcome.objects.get(line=each).limit_on  # noqa: E731
    assert (limit(line), limit(other)) == (day("2026-10-02"), day("2026-10-02"))
    take_in(base, "CN", [2026])
    rollups.rebuild()
    # 1 to 7 October are closed; 8 and 9 are worked.
    assert (limit(line), limit(other)) == (day("2026-10-09"), day("2026-10-02"))
    loaded = with_facts(OrderLine.objects.filter(pk=line.pk)).get()
    assert judge(loaded, day("2026-10-20")).limit == day("2026-10-09"), "the page says the same as the sums"
    if through == "its base":
        calendars.set_by_hand(own, day("2026-10-05"), day("2026-10-05"), True, "We work")
        rollups.rebuild()
        assert limit(line) == day("2026-10-08")
        WorkingCalendar.objects.filter(pk=own.pk).update(base=None)
        rollups.rebuild()
        assert limit(line) == day("2026-10-02")


# On the screen


def test_a_manager_takes_holidays_in_and_reads_what_changed(client, manager):
    calendar = make.calendar(code="cn", name="China, factories")
    page = client.get("/calendars/cn/")
    assert "Its days are set by hand." in text(page)
    last = last_known_year("CN")
    page = client.post("/calendars/cn/take-in/", {"country": "CN", "years": f"{last}, {last + 1}"}, follow=True)
    assert f"China, {last}, {last + 1}:" in text(page)
    assert f"Not known yet: the make-up days of {last + 1}." in text(page)
    assert "Make-up working day for" in text(page)
    assert public_holidays.source() in text(page)
    unknown = text(client.get(f"/calendars/cn/?year={last + 1}"))
    assert f"The make-up days or holidays of {last + 1} were not known" in unknown
    assert calendar.exceptions.exists()
    for years, said in (
        ("", "This field is required"), ("26", "is not a year between 2000 and 2049"), ("2099", "is not a year"),
        ("２０２６", "is not a year"), (" ".join(str(year) for year in range(2010, 2030)), "At most 10 years at once"),
    ):  # fmt: skip
        page = client.post("/calendars/cn/take-in/", {"country": "CN", "years": years})
        assert page.status_code == 422
        assert said in text(page)
    assert client.post("/calendars/cn/take-in/", {"country": "VN", "years": "2026"}).status_code == 422


def test_a_day_is_set_and_removed_by_hand(client, manager):
    calendar = make.calendar(code="vn", name="Vietnam")
    take_in(calendar, "VN", [2026])
    client.post("/calendars/vn/days/", {"day": "2026-04-30", "is_open": "yes", "name": "Urgent"})
    page = text(client.get("/calendars/vn/?year=2026"))
    assert "Working day Urgent set by hand" in page
    assert works(calendar, "2026-04-30") == [True]
    row = calendar.exceptions.get(source="")
    client.post(f"/calendars/vn/days/{row.pk}/remove/")
    assert works(calendar, "2026-04-30") == [False]
    package = calendar.exceptions.get(day=day("2026-04-30"))
    assert client.post(f"/calendars/vn/days/{package.pk}/remove/").status_code == 404, "that is not set by hand"
    client.post("/calendars/vn/days/", {"day": "2026-08-10", "until": "2026-08-14", "is_open": "no", "name": "Summer"})
    client.post("/calendars/vn/days/", {"day": "2026-08-12", "until": "2026-08-12", "is_open": "yes", "name": "Half"})
    assert works(calendar, "2026-08-10", "2026-08-12", "2026-08-14") == [False, True, False]
    assert calendar.exceptions.filter(source="").count() == 5


@pytest.mark.parametrize("typed, said", [
    ({}, "This field is required"),
    ({"day": "2026-13-01", "is_open": "no"}, "Enter a valid date"),
    ({"day": "1999-12-31", "is_open": "no"}, "between 2000 and 2049"),
    ({"day": "2050-01-01", "is_open": "no"}, "between 2000 and 2049"),
    ({"day": "2026-05-05", "until": "2026-05-04", "is_open": "no"}, "cannot lie before the first"),
    ({"day": "2026-01-01", "until": "2026-12-31", "is_open": "no"}, "At most 62 days at once"),
    ({"day": "2026-05-05", "is_open": "perhaps"}, "Select a valid choice"),
    ({"day": "2026-05-05", "is_open": "no", "name": "x" * 200}, "at most 120"),
    ({"day": "2026-05-05", "is_open": "no", "name": "a\x00b"}, "Null characters"),
])  # fmt: skip
def test_what_is_no_day_is_refused_with_the_reason(client, manager, typed, said):
    make.calendar(code="vn")
    page = client.post("/calendars/vn/days/", typed)
    assert page.status_code == 422
    assert said in text(page)
    assert not CalendarException.objects.exists()


def test_a_factory_gets_a_calendar_of_its_own(client, manager):
    base = make.calendar(code="vn", name="Vietnam, factories", weekend=[7])
    take_in(base, "VN", [2026])
    factory = make.factory(code="VN-014", name="Hoa Binh Garment", calendar=base)
    agreed = make.line(10, order=make.order(factory=factory, number="PO-1"), calendar=base, grace_unit="working")
    assert "calendars/new/?factory=VN-014" in client.get("/calendars/vn/").content.decode()
    form = client.get("/calendars/new/?factory=VN-014").context["form"]
    typed = {
        "name": form["name"].value(),
        "code": form["code"].value(),
        "base": base.pk,
        "weekend": ["7"],
        "factory": "VN-014",
    }
    page = client.post("/calendars/new/", typed, follow=True)
    assert page.redirect_chain[-1] == ("/calendars/vn-014/", 303)
    assert "It builds on Vietnam, factories ; its own days win." in text(page)
    assert "from Vietnam, factories" in text(client.get("/calendars/vn-014/?year=2026"))
    factory.refresh_from_db()
    assert (factory.calendar.code, factory.calendar.base) == ("vn-014", base)
    agreed.refresh_from_db()
    assert agreed.calendar == base, "what was agreed keeps the calendar it was agreed with"
    order = make.order(factory=factory, number="PO-2")
    assert client.get("/orders/VN-014/PO-2/lines/new/").context["form"]["calendar"].value() == factory.calendar_id
    assert order.lines.count() == 0
    assert '<a href="/calendars/vn-014/">' in client.get("/factories/VN-014/").content.decode()
    client.post("/calendars/vn/factory/", {"factory": "VN-014"})
    assert Factory.objects.get(code="VN-014").calendar == base
    assert client.post("/calendars/vn/factory/", {"factory": "nobody"}).status_code == 422


def test_a_new_calendar_says_what_is_wrong_with_it(client, manager):
    base = make.calendar(code="vn")
    own = make.calendar(base=base)
    good = {"name": "China", "code": "cn", "weekend": ["6", "7"]}
    for changes, said in (
        ({"code": "new"}, "this one is an address already"), ({"code": "a/b"}, "Use letters A to Z"),
        ({"code": "vn"}, "already exists"), ({"name": ""}, "This field is required"),
        ({"weekend": ["1", "2", "3", "4", "5", "6", "7"]}, "At least one day of the week must be a working day."),
        ({"weekend": ["9"]}, "Select a valid choice"), ({"base": own.pk}, "Select a valid choice"),
        ({"factory": "nobody"}, "Select a valid choice"),
    ):  # fmt: skip
        page = client.post("/calendars/new/", good | changes)
        assert page.status_code == 422, changes
        assert said in text(page), changes
    assert client.get("/calendars/new/?factory=nobody").status_code == 200
    assert client.post("/calendars/new/", good).status_code == 303


def test_odd_years_show_this_one(client, manager):
    make.calendar(code="vn")
    for odd in ("x", "1999", "2050", "99999", "²⁰²⁶", "-2026", ""):
        page = client.get("/calendars/vn/", {"year": odd})
        assert page.context["year"] == str(datetime.date.today().year)
    assert client.get("/calendars/nowhere/").status_code == 404


def test_a_buyer_reads_and_changes_nothing(client):
    client.force_login(make.user("buyer"))
    calendar = make.calendar(code="vn")
    take_in(calendar, "VN", [2026])
    page = client.get("/calendars/vn/")
    assert page.status_code == 200
    assert "<form" not in page.content.decode().split("<main")[1].split("</main")[0]
    assert client.post("/calendars/vn/take-in/", {"country": "VN", "years": "2027"}).status_code == 403


def test_a_list_of_many_calendars_costs_as_much_as_one_of_a_few(client, manager):
    def cost(url):
        client.get(url)
        with CaptureQueriesContext(transaction.get_connection()) as found:
            assert client.get(url).status_code == 200
        return len(found)

    base = make.calendar(code="vn")
    take_in(base, "VN", [2025])
    before = cost("/calendars/"), cost("/calendars/vn/"), cost("/")
    take_in(base, "VN", [2024, 2026])
    for _ in range(5):
        own = make.calendar(base=base)
        make.factory(calendar=own)
        make.factory(calendar=base)
        make.site(calendar=base)
    assert (cost("/calendars/"), cost("/calendars/vn/")) == before[:2]


def test_managers_are_told_of_a_calendar_that_ends_within_60_days(client, manager, monkeypatch):
    calendar = make.calendar(code="cn", name="China, factories")
    own = make.calendar(base=calendar)
    take_in(calendar, "CN", [2026])
    ends = lambda today: [each.code for each, _ in calendars.ending(day(today))]  # noqa: E731
    assert ends("2026-11-22") == [], "nobody works by it"
    make.factory(calendar=own)
    assert ends("2026-11-01") == []
    assert ends("2026-11-02") == ["cn"]
    assert calendars.ending(day("2027-03-01")) == [(calendar, None)]
    monkeypatch.setattr("assessments.views.home.today", lambda: day("2026-11-22"))
    assert "China, factories public holidays are known through 31 Dec 2026" in text(client.get("/"))
    Factory.objects.update(status="ended")
    assert ends("2026-11-22") == []


# The command


def loaded(*args, **options):
    output = StringIO()
    call_command("load_holidays", *args, stdout=output, **options)
    return output.getvalue()


def test_the_command_loads_named_calendars_and_then_all_that_have_a_country():
    make.calendar(code="cn")
    make.calendar(code="by-hand")
    assert loaded() == "No calendar has a country yet.\n"
    assert "cn: China, 2024: 29 added" in loaded("cn", country="cn", years=[2024])
    assert loaded(years=[2024]).startswith("cn: China, 2024: nothing new")
    this_year = datetime.date.today().year
    assert f"cn: China, {this_year}, {this_year + 1}" in loaded()
    for args, options, said in (
        (["nowhere"], {}, "There is no calendar nowhere."),
        (["by-hand"], {}, "by-hand has no country yet"),
        (["by-hand"], {"country": "XX"}, "is not a country"),
        (["cn"], {"country": "VN"}, "has the holidays of China"),
        (["cn"], {"years": [1800]}, "between 2000 and 2049"),
    ):
        with pytest.raises(CommandError, match=said):
            loaded(*args, **options)
