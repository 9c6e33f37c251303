"""A page is kept while all answers of the database hold, and never longer."""

import datetime
import re

import pytest
from django.core.cache import cache
from django.db import connection
from django.db.models import Value
from django.db.models.functions import Concat
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone

from accounts.models import User
from assessments import breach_events, jobs, scorecards
from factories.models import Factory
from production import drawn_pages, prepared, rollups
from production.models import Delivery, Lot, OrderLine, Product, PurchaseOrder, Site
from production.prepared import by_call
from tests import judged, make
from tests.test_rollups import STEPS, World

LIST, SCORECARD, DELIVERIES = "/factories/", "/factories/GOOD-1/", "/deliveries/"
PAGES = [LIST, SCORECARD, DELIVERIES]
TOKEN = re.compile(rb'name="csrfmiddlewaretoken" value="(\w{64})"')


@pytest.fixture(autouse=True)
def nothing_kept():
    drawn_pages.pages.values.clear()


@pytest.fixture
def company(db):
    judged.factory("GOOD-1", late=1)
    judged.judge(months=2)


@pytest.fixture
def drawn(monkeypatch):
    """Counts the pages that are drawn."""
    count = [0]
    whole = drawn_pages.recorded

    def counting():
        count[0] += 1
        return whole()

    monkeypatch.setattr(drawn_pages, "recorded", counting)
    return count


def seen(client, path):
    return TOKEN.sub(b"", client.get(path).content)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_drawn_once_and_sent_again_as_it_was(client, company, drawn, path):
    client.force_login(make.user("manager"))
    first = seen(client, path)
    assert [seen(client, path) for _ in range(3)] == [first] * 3
    assert drawn == [1]


@pytest.mark.django_db(transaction=True)
def test_a_kept_page_is_asked_again_by_a_new_connection(client, drawn):
    judged.factory("GOOD-1", late=1)
    judged.judge(months=2)
    client.force_login(make.user("manager"))
    for path in PAGES:
        first = seen(client, path)
        for _ in range(2):
            connection.close()
            assert seen(client, path) == first
    assert drawn == [len(PAGES)]


@pytest.mark.parametrize("path", PAGES)
def test_forms_of_a_kept_page_bear_a_token_of_their_own_that_is_accepted(company, drawn, path):
    client = Client(enforce_csrf_checks=True)
    client.force_login(make.user("manager"))
    tokens = [TOKEN.search(client.get(path).content)[1].decode() for _ in range(3)]
    assert drawn == [1]
    assert len(set(tokens)) == 3
    for token in tokens:
        assert client.post("/theme/", {"theme": "dark", "csrfmiddlewaretoken": token, "next": path}).status_code == 302


@pytest.mark.parametrize(
    ("path", "change", "word"),
    [
        (LIST, lambda: Factory.objects.update(name="Renamed Ltd"), "Renamed Ltd"),
        (SCORECARD, lambda: Product.objects.update(name="Renamed scarf"), "Renamed scarf"),
        (DELIVERIES, lambda: Delivery.objects.filter(kind="receipt").update(condition="damaged"), "Damage"),
    ],
)
def test_a_page_is_drawn_again_when_anything_on_it_changed(client, company, path, change, word):
    client.force_login(make.user("manager"))
    assert word not in client.get(path).content.decode()
    change()
    assert word in client.get(path).content.decode()


def test_what_one_reader_saw_is_never_shown_to_another(client, company):
    contact = make.user("contact", factory=Factory.objects.get())
    judged.factory("OTHER-2", lots=0)
    readers = [make.user("manager"), contact, make.user("inspector"), make.user("officer")]
    found = {}
    for _ in range(2):
        for reader in readers:
            client.force_login(reader)
            found.setdefault(reader.role, []).append(
                [(client.get(path).status_code, seen(client, path)) for path in PAGES]
            )
    assert all(once == again for once, again in found.values())
    assert b"OTHER-2" in found["manager"][0][0][1]
    assert b"OTHER-2" not in found["contact"][1][0][1]
    assert [status for status, _ in found["officer"][1]] == [403] * 3


def test_a_reader_whose_role_changes_sees_the_pages_of_the_new_role(client, company):
    user = make.user("manager")
    client.force_login(user)
    assert b"/policies/" in client.get(LIST).content
    User.objects.filter(pk=user.pk).update(role="inspector")
    assert b"/policies/" not in client.get(LIST).content


def test_a_message_is_shown_once(client, company):
    client.force_login(make.user("manager"))
    client.get(SCORECARD)
    assert b"You watch" in client.post(f"{SCORECARD}watch/", {"next": SCORECARD}, follow=True).content
    assert b"You watch" not in client.get(SCORECARD).content


def test_with_a_new_hour_every_page_is_drawn_again(client, company, drawn, monkeypatch):
    client.force_login(make.user("manager"))
    now = timezone.now().replace(minute=10)
    for minutes, times in ((0, 1), (20, 1), (51, 2)):
        monkeypatch.setattr(timezone, "now", lambda minutes=minutes: now + datetime.timedelta(minutes=minutes))
        client.get(LIST)
        assert drawn == [times]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("sql", "reads"),
    [
        ("SELECT 1", True),
        ("WITH one AS (SELECT 1) SELECT * FROM one", True),
        ("UPDATE factories_factory SET name = name", False),
        ("UPDATE production_site SET code = code RETURNING code", False),
        ("WITH gone AS (DELETE FROM production_touched RETURNING id) SELECT count(*) FROM gone", False),
        ("SELECT id FROM factories_factory FOR UPDATE", False),
        ("SET LOCAL work_mem = '8MB'", False),
    ],
)
def test_a_view_that_does_more_than_read_is_not_kept_and_reads_its_rows(rf: RequestFactory, sql, reads):
    make.line()
    with connection.cursor() as cursor:
        cursor.execute(sql)
        expected = cursor.fetchall() if cursor.description else []
    found = []

    def view(request):
        with connection.cursor() as cursor:
            cursor.execute("SELECT 'before'")
            cursor.execute(sql)
            found.append(cursor.fetchall())
        return HttpResponse("")

    request = rf.get("/")
    request.user, request._messages = make.user("manager"), []
    drawn_pages.kept_while_the_answers_hold(view)(request)
    assert len(drawn_pages.pages.values) == reads
    if "DELETE" not in sql:  # what is gone is not counted twice
        assert found == [expected]


@pytest.mark.django_db
def test_prepared_statements_that_write_are_not_kept():
    assert drawn_pages.only_reads(rollups.REWRITE["production_lineoutcome"].call) is False
    assert drawn_pages.only_reads(breach_events.LIVE_EVENTS.call) is False
    assert drawn_pages.only_reads(scorecards.TREND.call) is True


@pytest.mark.django_db
def test_a_statement_that_cannot_be_planned_without_its_values_is_asked_as_it_is():
    assert prepared.of_query("SELECT %s", 1) is not None
    assert prepared.of_query("SELECT CASE WHEN %s THEN nothing END", 1) is None
    with connection.cursor() as cursor:
        assert prepared.ask(cursor, "SELECT pg_typeof(%s)::text", [1]) == [("integer",)]
    assert prepared.of_query("SELECT 1", 0) is not None, "the transaction goes on"


LONGER = object()
RENAMED = {
    "renamed product": (Product, "name", LONGER),
    "renamed lot": (Lot, "code", LONGER),
    "renumbered order": (PurchaseOrder, "number", LONGER),
    "moved site": (Site, "time_zone", "Pacific/Auckland"),
    "moved site back": (Site, "time_zone", "Pacific/Pago_Pago"),
    "reopened orders": (PurchaseOrder, "closed_on", None),
    "closed orders": (PurchaseOrder, "closed_on", datetime.date(2026, 4, 19)),
}


def kept_statements(path):
    (drawn,) = [page for key, page in drawn_pages.pages.values.items() if key[0] == path]
    return "\n".join(by_call[sql].sql if sql in by_call else sql for sql, _, _ in drawn.record.asked)


def test_what_grows_with_a_factory_is_asked_again_only_while_changes_wait(client, company, drawn):
    client.force_login(make.user("manager"))
    line = OrderLine.objects.first()
    make.line(order=line.order, product=line.product)
    growing = ["production_factoryday", "production_lotoutcome", "production_lineoutcome t"]
    first = seen(client, SCORECARD)
    assert all(table in kept_statements(SCORECARD) for table in growing), "what was touched waits"
    rollups.rebuild()
    assert seen(client, SCORECARD) != first, "the line is open"
    asked = kept_statements(SCORECARD)
    assert "production_factoryday" not in asked
    assert "production_lotoutcome" not in asked
    assert "t.order_id = ANY" in asked
    assert "t.factory_id = " not in asked
    assert drawn == [2]
    make.delivery(1, line=line)
    seen(client, SCORECARD)
    assert drawn == [3], "something waits"
    rollups.rebuild()
    seen(client, SCORECARD)
    seen(client, SCORECARD)
    assert drawn == [4]


def test_a_change_of_another_factory_does_not_draw_a_scorecard_again(client, company, drawn):
    client.force_login(make.user("manager"))
    other = make.delivery(5)
    rollups.rebuild()
    seen(client, SCORECARD)
    Delivery.objects.filter(pk=other.pk).update(quantity=4)
    rollups.rebuild()
    seen(client, SCORECARD)
    assert drawn == [1]


@pytest.mark.parametrize(
    ("sql", "only"),
    [
        ("SELECT 1 FROM a WHERE x IN (SELECT x FROM b AS u JOIN a ON TRUE)", True),
        ('SELECT "a"."x" FROM "a" U0 INNER JOIN "b" ON ("a"."x" = "b"."x")', True),
        ("SELECT 1 FROM a, b", False),
        ("SELECT 1 FROM a AS u, b", False),
        ('SELECT 1 FROM "a" U0, c', False),
        ("SELECT 1 FROM a JOIN c ON TRUE", False),
        ("SELECT EXTRACT(day FROM x) FROM a", False),
        ("SELECT 1", False),
    ],
)
def test_which_tables_a_statement_reads(sql, only):
    assert drawn_pages.reads_only(sql, {"a", "b"}) is only
    assert not drawn_pages.reads_only(sql, frozenset())


@pytest.mark.django_db
def test_kept_pages_equal_fresh_ones_after_any_change():
    """Every step of the sums' test, in order and with the job of the minute: what is kept is what would be drawn."""
    cache.set(
        "health", [], timeout=None
    )  # what the banner says is asked once a minute, which may pass between two pages
    world, client = World(), Client()
    client.force_login(make.user("manager"))
    now = datetime.datetime(2026, 4, 20, 12, tzinfo=datetime.UTC)
    changed = [name for change in RENAMED for name in (change, "work")]
    for name in ["add_line"] * 4 + ["deliver"] * 4 + ["inspect"] * 2 + STEPS * 2 + changed:
        if name in RENAMED:
            model, column, value = RENAMED[name]
            model.objects.update(**{column: Concat(column, Value("x")) if value == LONGER else value})
        else:
            getattr(world, name)()
        if name in ("work", "deliver", "inspect"):
            jobs.assess(now)
        paths = [
            LIST,
            DELIVERIES,
            *(f"/factories/{code}/" for code in Factory.objects.values_list("code", flat=True)[:2]),
        ]
        kept = [seen(client, path) for path in paths]
        drawn_pages.pages.values.clear()
        for path, was in zip(paths, kept, strict=True):
            assert was.decode().splitlines() == seen(client, path).decode().splitlines(), f"{path} after {name}"
