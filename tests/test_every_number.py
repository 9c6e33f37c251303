"""Each number on a page opens exactly its rows: the walk over every number of every factory of the demo company.

The demo is loaded as it looks today, since the pages read the clock. A number is compared with the rows of the page that
its link leads to, all pages of them, added up here from the file of these rows. The months, of which there are hundreds,
are added up from what the view behind the link chooses, without a request for each; a slow test takes the files there, too.
"""

import csv
import datetime
import html
import io
import re
from collections import Counter
from decimal import Decimal
from io import StringIO
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client, RequestFactory
from django.urls import resolve

from accounts.models import User
from assessments import claims, pdf, window_sums, windows, wording
from assessments.figures import count, money, percent, points
from assessments.judgement import judge, sums_of
from assessments.models import Evaluation
from assessments.publication import publication
from assessments.views import rows as row_tables
from assessments.views.csvs import plain
from assessments.views.entrance import factory_or_404, sees_money
from assessments.views.judged import evaluation_or_404
from factories.models import Factory
from production import drawn_pages
from tests import make

pytestmark = pytest.mark.django_db

CHANGED = "Facts have changed since this was computed"
ROWS = re.compile(r"^/factories/([^/]+)/(?:score/[\d-]+|rows)/(defect|otif|loss)/")
LINK = re.compile(r'<a [^>]*?href="([^"]+)"[^>]*>(.*?)</a>', re.DOTALL)


@pytest.fixture(scope="module")
def demo(django_db_setup, django_db_blocker):
    """The demo company; all of it is rolled back after the last test."""
    with django_db_blocker.unblock(), transaction.atomic():
        make.shipped_policy()
        call_command("load_demo", stdout=StringIO())
        connection.check_constraints()  # now, once: else each test checks all rows of the open transaction again
        yield
        transaction.set_rollback(True)


class Reader:
    """Somebody who is signed in, reads pages, and adds up the rows behind their numbers."""

    def __init__(self, role, user=None):
        self.client = Client()
        self.user = user or User.objects.filter(role=role).order_by("pk").first()
        self.client.force_login(self.user)
        self.files, self.evaluations = {}, {}

    def page(self, url):
        answer = self.client.get(url)
        assert answer.status_code == 200, url
        return answer.content.decode()

    def rows(self, url):
        """The rows that the view behind an address chooses, as its file has them; without a request for each."""
        if url not in self.files:
            asked_for, found = RequestFactory().get(url), resolve(urlsplit(url).path)
            assert found.url_name == "score_rows", url
            code, period, measure = (found.kwargs[name] for name in ("code", "period", "measure"))
            asked_for.user = self.user
            pinned = tuple(asked_for.GET.get(name) for name in ("kind", "revision", "category"))
            if (code, period, *pinned) not in self.evaluations:
                factory = factory_or_404(self.user, code)
                self.evaluations[code, period, *pinned] = evaluation_or_404(asked_for, factory, period)
            evaluation, with_money = self.evaluations[code, period, *pinned], sees_money(self.user)
            chosen = row_tables.chosen(asked_for, evaluation, measure)
            head = chosen.table.csv_head(with_money)
            self.files[url] = [
                {
                    name: str(plain(value))
                    for name, value in zip(head, chosen.table.csv_row(row, evaluation.factory, with_money), strict=True)
                }
                for row in chosen.rows
            ]
        return self.files[url]

    def file(self, url):
        """The rows of a list from its file: all pages of it."""
        if url not in self.files:
            sign = "&" if "?" in url else "?"
            text = self.page(f"{url}{sign}format=csv").removeprefix("\ufeff")
            self.files[url] = list(csv.DictReader(io.StringIO(text)))
        return self.files[url]


@pytest.fixture(scope="module")
def manager(demo):
    return Reader("manager")


@pytest.fixture(autouse=True)
def loaded(demo):
    """Every test of this file sees the loaded demo."""


def text(markup):
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", markup))).strip()


def links(markup):
    """(address, text) of each link."""
    return [(html.unescape(url), text(words)) for url, words in LINK.findall(markup)]


def asked(url):
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def total(rows, name):
    return sum((Decimal(row[name]) for row in rows), Decimal(0))


def rate(num, den):
    return percent((Decimal(num) / Decimal(den)).quantize(Decimal("1e-12"))) if den else "–"


def worst_currency(rows):
    """The one of the highest rate, which is shown where there are several."""
    lost, used = Counter(), Counter()
    for row in rows:
        lost[row["currency"]] += Decimal(row["value_lost"])
        used[row["currency"]] += Decimal(row["value_used"])
    return max(used, key=lambda currency: lost[currency] / used[currency] if used[currency] else -1, default="")


def sums(reader, url, currency="", take=Reader.file):
    """What the rows behind a link add up to, as a page writes it: {what: text}; `take` gives the rows."""
    measure, rows = ROWS.match(url)[2], take(reader, url)
    found = {"rows": count(len(rows))}
    if measure == "otif":
        on_time = sum(row["counted"] == "on time" for row in rows)
        found |= {"on time": count(on_time), "quantity": rate(total(rows, "on_time"), total(rows, "quantity_due"))}
        found["days late"] = points(total(rows, "days_late") / len(rows), 1) if rows else "–"
        found["rate"] = rate(on_time, len(rows))
    elif asked(url).get("counted") == "deliveries":
        covered = [row for row in rows if row["covered"] == "inspected"]
        found["share"] = rate(total(covered, "delivered"), total(rows, "delivered"))
    elif measure == "defect":
        bad, seen = total(rows, "defective"), total(rows, "inspected")
        found |= {"defective": count(bad), "inspected": count(seen), "rate": rate(bad, seen)}
        shares = [Decimal(row["defective"]) / Decimal(row["inspected"]) for row in rows]
        found["mean"] = percent(sum(shares) / len(shares)) if rows else "–"
        weights = [Decimal(row["delivered"]) for row in rows]
        known = sum(weights)
        weighted = sum(share * weight for share, weight in zip(shares, weights, strict=True))
        found["weighted"] = percent(weighted / known) if known else "–"
    else:
        currency = currency or worst_currency(rows)
        rows = [row for row in rows if row["currency"] == currency]
        lost, used = total(rows, "value_lost"), total(rows, "value_used")
        found |= {"lost": money(lost, currency), "used": money(used, currency), "rate": rate(lost, used)}
    return found


# The page of a score


class ScorePage:
    """The numbers of one score page that lead somewhere: (what, text, address)."""

    def __init__(self, evaluation, markup):
        self.evaluation, self.markup = evaluation, markup
        self.rows = {
            name: cells
            for name, cells in re.findall(r'<tr><th scope="row"><a href="#(\w+)">(.*?)</tr>', markup, re.DOTALL)
        }
        self.sections = {
            name: part
            for name, part in re.findall(r'<section class="card" id="(\w+)">(.*?)</section>', markup, re.DOTALL)
        }

    def adds(self):
        parts = [re.search(r'class="num end"[^>]*><b>([^<]*)</b>', row)[1] for row in self.rows.values()]
        score = re.search(r'class="off"></td><td class="num end"><b>([^<]*)</b>', self.markup)[1]
        return [Decimal(part) for part in parts if part != "–"], score

    def figures(self, name):
        """What the fraction, and each fact of a measure, says and where it leads."""
        stored = self.evaluation.measures[name]
        found = []
        fraction = [link for link in links(self.rows[name]) if not link[0].startswith("#")]
        if wording.state(stored) != wording.NOT_APPLICABLE:
            whats = {"otif": ("on time", "rows"), "defect": ("defective", "inspected"), "loss": ("lost", "used")}[name]
            if name == "loss" and not stored["currency"]:
                whats = ("rows",)
            assert len(fraction) == len(whats), (self.evaluation, name, fraction)
            found += [(what, *link) for what, link in zip(whats, fraction, strict=True)]
        facts = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", self.sections[name], re.DOTALL)
        kinds = {
            "Lots rejected": ["rows", "rows"], "Lots with a critical defect": ["rows"],
            "Share of deliveries inspected": ["share"], "Mean of the lots’ rates": ["mean"],
            "Weighted by delivered quantity": ["weighted"], "On time, whatever the quantity": ["rows", "rows"],
            "Quantity on time": ["quantity"], "Days late, when late": ["days late"], "Of them still open": ["rows"],
        }  # fmt: skip
        for label, value in facts:
            what = kinds.get(text(label), [] if name != "loss" else ["lost", "used"])
            inside = links(value)
            assert len(inside) == len(what) or (text(label) == "Days" and name == "loss"), (label, value)
            found += [(each, *link) for each, link in zip(what, inside, strict=False)]
        return found


def wrong(reader, evaluation, page, measures=wording.MEASURES):
    """The numbers of a score page that differ from their rows: (address, what, shown, rows say)."""
    found = []
    for name in measures:
        currency = evaluation.measures[name].get("currency") or ""
        for what, url, shown in page.figures(name):
            said = sums(reader, url, asked(url).get("currency", currency))[what]
            if said != shown:
                found.append((url, what, shown, said))
    return found


def besides(reader, markup, take=Reader.file):
    """Follows every count and every number of days of the section beside a score. {address: text}"""
    section = markup.split('id="besides">')[1].split("</section>")[0]
    for label, value in re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", section, re.DOTALL):
        assert links(value) or not re.search(r"\d", text(value)) or "fewer than" in value, (label, value)
    followed = {}
    for url, shown in links(section):
        if not ROWS.match(url) or "counted" not in asked(url):
            continue
        followed[url] = shown
        rows, part = take(reader, url), asked(url)["counted"]
        if number := re.fullmatch(r"(?:See all )?([\d,]+)(?: (?:line|order|lot|unit)s?)?", shown):
            assert number[1] == count(total(rows, "minor") if part == "minor" else len(rows)), (url, shown)
        elif part == "ran" and shown.startswith("not reached"):
            assert rows
        elif days := re.fullmatch(r"([−\d,.]+) days?", shown):
            lasted = [Decimal(row["took" if "took" in row else "days_late"]) for row in rows]
            lasted += [Decimal(row["took"]) - Decimal(row["agreed"]) for row in rows if part == "agreed"]
            told = {*lasted, sum(lasted), (sum(lasted) / len(lasted)).quantize(Decimal("0.1"), "ROUND_HALF_UP")}
            assert Decimal(days[1].replace(",", "").replace("−", "-")) in told, (url, shown)
        else:
            assert part == "orders", (url, shown)
            assert shown == rate(sum(row["whole"] == "whole" for row in rows), len(rows)), (url, shown)
    return followed


def whole():
    evaluations = Evaluation.objects.whole().filter(factory__is_demo=True)
    return evaluations.select_related("factory", "policy")


def newest(kind):
    """Of each factory the newest judgement of a kind."""
    return list(whole().filter(kind=kind).order_by("factory_id", "-as_of", "-revision").distinct("factory_id"))


def months():
    """Of each factory and month the newest revision."""
    found = whole().filter(kind="month").order_by("factory_id", "as_of", "-revision")
    return list(found.distinct("factory_id", "as_of"))


def address(evaluation):
    """A day may have been judged live and at night: each by its revision."""
    pinned = "" if evaluation.kind == "month" else f"?kind={evaluation.kind}&revision={evaluation.revision}"
    return evaluation.get_absolute_url() + pinned


def walk(reader, evaluation, take=Reader.file):
    """Follows every link of a score page; what differs from its rows must say that it does. {(what, address): shown}"""
    page = ScorePage(evaluation, reader.page(address(evaluation)))
    parts, score = page.adds()
    assert sum(parts) == Decimal(score) if score != "–" else not parts, evaluation
    followed = {}
    for name in wording.MEASURES:
        currency = evaluation.measures[name].get("currency") or ""
        for what, url, shown in page.figures(name):
            followed[what, url] = shown
            if sums(reader, url, asked(url).get("currency", currency), take)[what] != shown:
                assert CHANGED in reader.page(url), (url, what, shown)
    if take == Reader.rows:
        drawn = (
            r'<table class="table">.*?</table>'  # one address per day of the drawing: followed for the newest scores
        )
        besides(reader, re.sub(drawn, "", page.markup, flags=re.DOTALL), take)
    return followed


@pytest.mark.usefixtures("plain_templates")
def test_every_number_of_the_newest_scores_opens_exactly_its_rows(manager):
    opened = set()
    for evaluation in newest("live"):
        page = ScorePage(evaluation, manager.page(address(evaluation)))
        assert wrong(manager, evaluation, page) == [], evaluation
        opened |= {url for name in wording.MEASURES for _what, url, _shown in page.figures(name)}
    assert len(opened) > 200
    for url in opened:
        page = manager.page(url)
        here = re.search(r'aria-current="page">[^<]*<span class="count">(\d+)<', page)
        assert int(here[1]) == len(manager.file(url)), url
        assert CHANGED not in page, url


def test_the_numbers_besides_a_score_open_exactly_their_rows(manager):
    kinds = {
        "Ended late": "rows", "Still open": "rows", "Every unit weighs the same": "rate",
        "Every lot weighs the same": "mean", "By delivered quantity": "weighted",
    }  # fmt: skip
    told = Counter()
    for evaluation in newest("live"):
        section = ScorePage(evaluation, manager.page(address(evaluation))).sections["besides"]
        for label, value in re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", section, re.DOTALL):
            for url, shown in links(value):
                if text(label) in kinds:
                    said = sums(manager, url)[kinds[text(label)]]
                    assert said == shown.removesuffix("s").removesuffix(" line"), (evaluation, label)
                    told[text(label)] += 1
    assert told.keys() == kinds.keys()


def test_every_count_besides_a_score_opens_exactly_so_many_rows(manager):
    """Those of the drawing, too; each as the file has them, and as the page says how many they are."""
    parts = Counter()
    for evaluation in newest("live"):
        for url, shown in besides(manager, manager.page(address(evaluation))).items():
            parts[asked(url)["counted"]] += 1
            said = re.search(r'aria-current="page">[^<]*<span class="count">(\d+)<', manager.page(url))
            assert int(said[1]) == len(manager.file(url)), (url, shown)
    assert parts.keys() == {
        "completed", "running", "ran", "agreed", "overran", "missed", "open", "ended", "orders", "whole", "not-whole", "minor",
        "census", "above",
    }  # fmt: skip


def test_the_orders_of_a_loss_are_said_beside_their_materials(manager):
    """A row is one material of one order, and the page of a score names the orders."""
    several = 0
    for evaluation in newest("live"):
        url, words = next(
            (link for link in links(ScorePage(evaluation, manager.page(address(evaluation))).sections["loss"])
             if link[1].startswith("See the ")), ("", ""),
        )  # fmt: skip
        if url:
            orders, rows = re.search(r"\d+", words)[0], manager.file(url)
            assert len({row["row"].split(" · ")[0] for row in rows}) == int(orders)
            said = re.search(r"(\d+) orders?, (\d+) materials?\.", text(manager.page(url)))
            assert said.groups() == (orders, str(len(rows)))
            several += len(rows) > int(orders)
    assert several > 3


def test_every_number_of_a_night_opens_its_rows_or_says_that_they_have_changed(manager):
    for evaluation in newest("night")[::4]:
        assert walk(manager, evaluation)


@pytest.mark.usefixtures("plain_templates")
def test_every_fraction_of_the_newest_month_is_what_its_rows_add_up_to(manager):
    """Both numbers against the file of all rows of the denominator; earlier months stand on the scorecards below."""
    for evaluation in newest("month"):
        page = ScorePage(evaluation, manager.page(address(evaluation)))
        for name, cells in page.rows.items():
            found = [link for link in links(cells) if not link[0].startswith("#")]
            if found:
                said = sums(manager, found[-1][0], evaluation.measures[name].get("currency") or "")
                both = {shown for _url, shown in found}
                assert both <= set(said.values()) or CHANGED in manager.page(found[-1][0]), (
                    evaluation,
                    name,
                    both,
                    said,
                )


@pytest.mark.usefixtures("plain_templates")
def test_every_number_of_every_month_opens_its_rows_or_says_that_they_have_changed(manager):
    """Every link of every month of every factory; and the parts of every score add up to it."""
    followed = [walk(manager, evaluation, Reader.rows) for evaluation in months()]
    assert len(followed) > 300
    assert sum(map(len, followed)) > 3000
    assert sum(len(manager.files[url]) for month in followed for _what, url in month) > 30_000


@pytest.mark.usefixtures("plain_templates")
def test_a_contact_is_shown_the_same_numbers_of_its_factory_and_the_same_rows(manager):
    walked = 0
    for user in User.objects.filter(role="contact", memberships__factory__is_demo=True).order_by("pk").distinct():
        contact = Reader("contact", user)
        for evaluation in [each for each in months() if each.factory in user_factories(user)]:
            ours = walk(manager, evaluation, Reader.rows)
            assert walk(contact, evaluation, Reader.rows) == ours, evaluation
            for _what, url in ours:
                assert contact.rows(url) == manager.rows(url), url
                walked += 1
    assert walked > 100


def user_factories(user):
    return set(Factory.objects.visible_to(user))


@pytest.mark.soak
def test_every_number_of_every_month_opens_its_rows_as_the_file_has_them(manager):
    reader = Reader("manager")
    assert sum(len(walk(reader, evaluation)) for evaluation in months()) > 3000


def test_the_parts_of_every_score_add_up_to_it_by_hand(manager):
    added = 0
    for evaluation in [*newest("live"), *newest("month")]:
        markup = manager.page(address(evaluation))
        parts, score = ScorePage(evaluation, markup).adds()
        assert sum(parts) == Decimal(score) if score != "–" else not parts, evaluation
        assert "points times weight may differ from a part by 0.01" in markup
        added += len(parts) > 1
    assert added > 20


def test_an_older_revision_leads_to_the_rows_of_that_revision(manager):
    night = newest("night")[0]
    page = ScorePage(night, manager.page(address(night)))
    assert all(asked(url)["kind"] == "night" for _what, url, _shown in page.figures("otif"))


# The other pages


def shown_elsewhere(reader, url):
    """Links of a page to rows whose numbers are not what these rows add up to."""
    found = []
    for target, words in links(reader.page(url)):
        if not ROWS.match(target) or not re.search(r"\d", words):
            continue
        # All rows add up to the numerator as well; that its own link opens the right part is seen on the score pages.
        target = re.sub(r"counted=(on-time|defective|lost)&?", "", target).rstrip("?&")
        said = set(sums(reader, target, words.split(" ")[0] if words[:3].isupper() else "").values())
        numbers = re.findall(r"[A-Z]{3} -?[\d,.]+\d|\d[\d,]*(?:\.\d+)?%?", words)
        lots = {count(len({row["order_line"] for row in reader.file(target)}))} if "/defect/" in target else set()
        orders = (
            {count(len({row["row"].split(" · ")[0] for row in reader.file(target)}))} if "/loss/" in target else set()
        )
        if not set(numbers) <= said | lots | orders and CHANGED not in reader.page(target):
            found.append((target, words, said))
    return found


def test_the_numbers_of_every_scorecard_lead_to_what_they_say(manager):
    """The cards, the late lines, and in the tables under the drawings both numbers of each of the last twelve months."""
    for factory in Factory.objects.filter(is_demo=True):
        assert shown_elsewhere(manager, f"/factories/{factory.code}/") == []


def test_the_numbers_of_the_list_of_factories_lead_to_what_they_say(manager):
    page = manager.page("/factories/")
    assert shown_elsewhere(manager, "/factories/") == []
    chips = re.findall(r'<a class="chip" href="([^"]+)".*?<b class="num">(\d+)</b>', page, re.DOTALL)
    assert len(chips) == 5
    for url, number in chips:
        assert len(manager.file(f"/factories/{html.unescape(url)}")) == int(number)
    breaches = [(url, number) for url, number in links(page) if url.startswith("/breaches/?state=live")]
    assert breaches
    for url, number in breaches:
        assert manager.page(url).count('<span class="code small">B-') == int(number)


@pytest.mark.parametrize("measure", wording.MEASURES)
def test_the_figures_of_the_comparison_lead_to_what_they_say(manager, measure):
    page = manager.page(f"/compare/?m={measure}")
    cells = re.findall(r'<td class="[^"]*"><a href="([^"]+)" title="[^:]*: ([^,]*), [^"]*">', page)
    assert len(cells) > 60
    for url, shown in cells[:: 7 if measure == "otif" else 5]:
        assert sums(manager, html.unescape(url))["rate"] == shown
    assert shown_elsewhere(manager, f"/compare/?view=league&m={measure}") == []


@pytest.mark.parametrize("role", ["manager", "buyer", "inspector", "contact"])
def test_the_numbers_of_the_start_pages_lead_to_what_they_say(demo, role):
    reader = Reader(role)
    page = reader.page("/")
    assert shown_elsewhere(reader, "/") == []
    for url, words in links(page):
        number = re.search(r"\d+", words)
        if url.startswith("/orders/lines/") and number:
            assert rows_of(reader, url) == int(number[0]), url
        elif url.startswith("/factories/?"):
            assert len(reader.file(url)) == int(number[0]), url
        elif url.startswith("/inspections/?"):
            assert rows_of(reader, url) == int(number[0]), url
    waiting = re.findall(r'<a href="(/orders/lines/[^"]*site=[^"]*)">.*?(\d+) lines are due', page, re.DOTALL)
    for url, number in waiting:
        assert rows_of(reader, html.unescape(url)) == int(number), url
    if role in ("manager", "buyer", "contact"):
        assert "/orders/lines/?state=late" in page


def rows_of(reader, url):
    """How many rows a list has, over all its pages."""
    found, here = 0, url
    while here:
        page = reader.page(here)
        found += page.count('<tr><th scope="row">')
        following = re.search(r'<a [^>]*rel="next" href="([^"]+)"', page)
        here = urlsplit(url).path + html.unescape(following[1]) if following else None
    return found


# What the page says beside the numbers


def test_every_state_of_a_measure_is_said_in_a_sentence(manager):
    """Interval, proof and rule stand in words on the page of every state that the demo shows."""
    seen = set()
    for evaluation in [*newest("live"), *months()]:
        for name, stored in evaluation.measures.items():
            state = wording.state(stored)
            if (name, state) in seen:
                continue
            seen.add((name, state))
            said = text(ScorePage(evaluation, manager.page(address(evaluation))).sections[name])
            assert wording.sentence(name, stored, evaluation.policy) in said
            if state in ("breach", "watch"):
                proof = "counts as proof" if name != "loss" else "over two orders or more"
                assert proof in said or "no proof yet" in said or "proves nothing yet" in said
            if state in ("ok", "watch", "breach"):
                assert "points." in said or "no points are left" in said
                assert "most likely lies between" in said if name != "loss" else "has no interval" in said
    states = {"ok", "watch", "breach", "no_data"}
    assert seen >= {(name, state) for name in ("defect", "otif") for state in states}
    assert seen >= {("loss", state) for state in states | {"not_applicable"}}


def test_what_it_would_take_is_true(manager):
    """The sentence of each scorecard against the sums with that many more good lines or units, judged as a month."""
    drawn_pages.pages.values.clear()  # a page that is kept, since another test read it, has no context
    told = Counter()
    for now in newest("live"):
        page = manager.client.get(f"/factories/{now.factory.code}/")
        shown = page.context["projection"]
        said = " ".join(shown["sentences"])
        assert html.escape(said) in page.content.decode() or said in page.content.decode()
        grade = after(now)
        assert shown["projected"] == grade
        takes = re.findall(r"(\w+) takes (.*?)\.(?: |$)", said)
        for named, ways in takes:
            for way in ways.split(", or "):
                number = int(re.sub(r"\D", "", way) or 1)
                key = "lines" if "order line" in way else "units"
                told[key] += 1
                assert after(now, **{key: number}) == named.lower(), (now, said)
                assert number == 1 or not lifted(grade, after(now, **{key: number - 1})), (now, said)
        if not takes and grade != "excellent":
            told["not"] += 1
            assert not lifted(grade, after(now, lines=50))
            assert not lifted(grade, after(now, units=2000))
            both = "both together would lift" in said
            assert lifted(grade, after(now, lines=50, units=2000)) == both, (now, said)
    assert min(told["lines"], told["units"], told["not"]) > 0


GRADES = ["not_rated", "failing", "passing", "good", "excellent"]


def lifted(grade, later):
    return GRADES.index(later) > GRADES.index(grade)


def after(now, lines=0, units=0):
    """The grade that a month closing on the day of `now` would publish after so many more good lines and units."""
    factory, policy = now.factory, now.policy
    due = datetime.date.fromisoformat(now.measures["otif"]["last"])
    for days in (policy.window_days, policy.fallback_days):
        window = windows.rolling(now.as_of, days)
        asked_for = window_sums.Asked(factory.pk, None, window.first, window.last, due)
        found = window_sums.Sums([asked_for]).of(asked_for)
        for name, more in {"lines": lines, "otif": lines, "otd": lines, "units_inspected": units}.items():
            found.counts[name] = (found.counts.get(name) or 0) + more
        judged = judge(
            sums_of(asked_for, found), policy, factory.category, policy.alpha_month, now.as_of,
            factory.pk in window_sums.Sums([asked_for]).supplied, of_categories(now),
        )  # fmt: skip
        if judged.sufficient:
            break
    before = whole().filter(factory=factory, kind="month", revision=1, as_of__lt=now.as_of).order_by("-as_of")
    return publication(judged, policy, list(before.values("published_grade", "raw_grade", "is_carried")))[0]


def of_categories(now):
    """The measures that a category of its own breaks at the strictness of a month."""
    of_day = Evaluation.objects.filter(factory=now.factory, kind=now.kind, as_of=now.as_of, category__isnull=False)
    latest = of_day.order_by("category_id", "-revision").distinct("category_id").select_related("category", "policy")
    return [
        f"{name}:{row.category.code}"
        for row in latest
        for name, stored in judge(
            row.sums, row.policy, row.category, row.policy.alpha_month, row.as_of, row.measures["loss"]["applicable"]
        ).measures.items()
        if stored["status"] == "breach"
    ]


# Money


def test_the_totals_of_the_claims_lead_to_claims_of_that_sum_and_each_sheet_is_a_pdf_of_its_page(manager, monkeypatch):
    """A claim of some reconciliations that may be claimed; two are waived."""
    printed, real = [], pdf.of
    monkeypatch.setattr(pdf, "of", lambda markup: printed.append(markup) or real(markup))
    user = User.objects.get(role="manager")
    with transaction.atomic():
        made = [claims.make(outcome, user) for outcome in list(claims.claimable())[:48:4]]
        assert len(made) > 4
        for claim in made[:2]:
            claims.move(claim, "waive", user, note="Shared")
        totals = re.findall(r'<p class="val"><a href="([^"]+)">([^<]*)</a>.*?<a href="([^"]+)">of ([^<]*) in (\d+) claims?<',
                            manager.page("/claims/"), re.DOTALL)  # fmt: skip
        assert totals
        for open_url, still_open, every_url, every, number in totals:
            currency = every[:3]
            assert money(sum_of_claims(manager, open_url, currency), currency) == still_open
            assert money(sum_of_claims(manager, every_url, currency), currency) == every
            assert rows_of_claims(manager, every_url) == int(number)
        for claim in made[2:6]:
            page = text(manager.page(claim.get_absolute_url()))
            answer = manager.client.get(f"{claim.get_absolute_url()}sheet.pdf")
            assert answer["Content-Type"] == "application/pdf"
            assert answer.content.startswith(b"%PDF-")
            assert answer.content.rstrip().endswith(b"%%EOF")
            rows = re.findall(r'<tr><th scope="row">(.*?)</th><td>(.*?)</td></tr>', printed[-1])
            assert len(rows) >= 9
            assert all(f"{text(name)} {text(value)}" in page for name, value in rows)
            assert money(claim.charge, claim.currency) in text(printed[-1])
        transaction.set_rollback(True)


def claims_of(reader, url):
    """The table of claims alone, without what is not claimed yet."""
    return (
        reader.page("/claims/" + html.unescape(url))
        .split('<caption class="vh">Claims</caption>')[1]
        .split("</table>")[0]
    )


def rows_of_claims(reader, url):
    return claims_of(reader, url).count('<tr><th scope="row">')


def sum_of_claims(reader, url, currency):
    amounts = re.findall(rf"{currency} ([\d,.]+)</td>", claims_of(reader, url))
    return sum((Decimal(each.replace(",", "")) for each in amounts), Decimal(0))
