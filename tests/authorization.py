"""Who may do what at every address: the table of authorization.toml, and two factories to try it on.

Factory `ours` is the one whose contact reads; every text of factory `theirs` holds the word CANARY.
"""

import contextlib
import html
import re
import tomllib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from django.core.cache import cache
from django.db import connection, transaction
from django.test import Client
from django.urls import Resolver404, URLPattern, get_resolver, resolve, reverse
from django.utils import timezone

from accounts.models import User
from assessments.models import Action, ActionStep, Breach, BreachStep, Claim, Evaluation, Policy, Watch
from assessments.models.claims import ClaimStep
from factories.models import CalendarException, Standing, StandingOverride
from notifications.models import Heartbeat, Message, SendAttempt
from production import rollups, strictness, switching
from production.models import Product, Site
from tests import judged, make

CANARY = "QZCANARY"  # no word of ours, and too long to turn up in a token by chance
NOBODY = "QZNOBODY"  # as long, and in no row
CANARY_QUANTITY = 7654321
TABLE = tomllib.loads(Path(__file__).with_suffix(".toml").read_text())
READERS = TABLE["readers"]
UNSEEN_TABLES = {  # what a look alone may write, and what triggers derive
    "django_session", "usersessions_usersession", "factories_workingday", "django_migrations",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Rule:
    """One address of the table."""

    name: str
    path: str
    shows: str
    get: dict[str, str]
    post: dict[str, str]
    of: str = ""
    query: list[str] = field(default_factory=list)
    writes: bool = False

    @classmethod
    def read(cls, name, row):
        get = dict(zip(READERS, row["get"].split(), strict=True))
        shown_only = " ".join(
            "sign-in" if reader == "anonymous" and get[reader] == "sign-in" else "405" for reader in READERS
        )
        post = dict(zip(READERS, row.get("post", shown_only).split(), strict=True))
        writes = "post" in row and set(post.values()) != {"405"}
        return cls(name, row["path"], row["shows"], get, post, row.get("of", ""), row.get("query", []), writes)

    def address(self, side):
        return reverse(self.name, kwargs=side.named[self.of] if self.of else {})


RULES = [Rule.read(name, row) for name, row in TABLE["url"].items()]


def patterns(resolver=None, prefix=""):
    """(path, name) of every address that Django routes; the admin counts as one."""
    for each in (resolver or get_resolver()).url_patterns:
        path = str(each.pattern)
        if isinstance(each, URLPattern):
            yield (path if path.startswith("^") else prefix + path), each.name
        elif each.namespace == "admin":
            yield prefix + path, "admin"
        else:
            yield from patterns(each, prefix + path)


def as_markdown():
    """The table for people: docs/authorization.md holds exactly this."""
    words = {
        "200": "yes",
        "302": "yes",
        "303": "yes",
        "422": "yes",
        "403": "–",
        "404": "404",
        "405": "",
        "sign-in": "sign-in",
    }
    lines = ["| address | what is there | " + " | ".join(READERS) + " |", "|---" * (len(READERS) + 2) + "|"]
    prefix = Rule.read("admin", TABLE["prefix"] | {"post": TABLE["prefix"]["get"]})
    for rule in [*RULES, prefix]:
        name = f"`/{rule.path}`".replace("|", "\\|")
        shown = set(rule.get.values()) - {"405", "sign-in"}
        if shown:
            lines.append(f"| {name} | {rule.shows} | " + " | ".join(words[rule.get[each]] for each in READERS) + " |")
        if rule.writes and rule.name != "admin":
            said = f"{rule.shows}: send" if shown else rule.shows
            lines.append(f"| {name} | {said} | " + " | ".join(words[rule.post[each]] for each in READERS) + " |")
    return "\n".join(lines) + "\n"


# Two factories


class Side:
    """A factory with a row of every kind; each of its texts holds `stem`."""

    def __init__(self, stem, *, quantity, staff, today):
        self.stem, self.count, self.quantity, self.today = stem, 0, quantity, today
        self.factory = self.make_factory()
        self.contact = make.user(
            "contact", factory=self.factory, name=self.text(), email=f"{self.text().lower()}@example.com"
        )
        self.make_order(staff["buyer"])
        self.make_surroundings(staff["admin"], staff["buyer"])

    def text(self):
        """Another text of this factory: QZCANARY-017."""
        self.count += 1
        return f"{self.stem}-{self.count:03}"

    def make_factory(self):
        calendar = make.calendar(code=self.text().lower(), name=self.text())
        CalendarException.objects.create(calendar=calendar, day=make.day("2026-01-01"), name=self.text())
        made = judged.factory(
            self.text(), late=6, defective=9, name=self.text(), local_name=self.text(), local_language=self.text(),
            city=self.text(), calendar=calendar, category=make.category(code=self.text().lower(), name=self.text()),
        )  # fmt: skip
        for model in (Product, Site):
            for row in model.objects.filter(lines__factory=made).distinct():
                row.code, row.name = self.text(), self.text()
                row.save()
        Policy.objects.create(factory=made, effective_from=make.day("2020-01-01"), note=self.text())
        make.contact(
            factory=made, name=self.text(), position=self.text(), phone=self.text(), email=f"{self.text()}@example.com"
        )
        return made

    def make_order(self, buyer):
        ago = judged.ago
        self.order = make.order(factory=self.factory, number=self.text(), note=self.text(), ordered_on=ago(90))
        self.product = make.product(code=self.text(), name=self.text(), unit="pcs", category=self.factory.category)
        self.site = make.site(code=self.text(), name=self.text())
        self.line = make.line(
            self.quantity, order=self.order, number=self.text(), product=self.product, site=self.site,
            unit_price="93.87", source_key=self.text(), committed_on=None, requested_on=ago(-5),
        )  # fmt: skip
        self.closed = make.order(factory=self.factory, number=self.text(), closed_on=ago(10))
        self.lot = make.lot(line=self.line, code=self.text(), quantity=self.quantity)
        self.delivery = make.delivery(
            17, line=self.line, lot=self.lot, received_on=ago(3), recorded_by=buyer, condition="damaged",
            reason=self.text(), document=self.text(), note=self.text(),
        )  # fmt: skip
        refused = switching.Judged(self.lot.pk, self.lot.code, 1, ago(9))
        tightened = switching.State("tightened", ago(9), (refused,), 2, classes=("major",))
        self.inspection = make.inspection(
            lot=self.lot, inspected_on=ago(2), major=9, verdict="rejected", units_rejected=9, units_material_fault=3,
            note=self.text(), recorded_by=buyer, severity="tightened",
            severity_because=strictness.Strictness("tightened", None, tightened).because,
        )  # fmt: skip
        self.revision = make.revision(line=self.line, new_on=ago(-9), reason=self.text())
        make.cancellation(line=self.line, quantity=2, cancelled_on=ago(4), reason=self.text())
        self.material = make.material(code=self.text(), name=self.text())
        self.supplied = make.order_material(order=self.order, material=self.material)
        make.material_movement(100, order_material=self.supplied, moved_on=ago(30), document=self.text())
        # Much of what was given for the closed order is not in the goods that came: that may be claimed.
        bill = make.bill(product=self.product, per_unit={self.material: 1})
        line = make.line(40, order=self.closed, product=self.product, site=self.site, bill=bill, committed_on=ago(15))
        make.delivery(40, line=line, received_on=ago(16))
        self.lost = make.order_material(order=self.closed, material=self.material)
        make.material_movement(100, order_material=self.lost, moved_on=ago(30))

        self.make_plans(buyer)

    def make_plans(self, buyer):
        """The plan of the order, one that is not confirmed, and one whose move waits for approval."""
        ago = judged.ago
        self.reached = make.milestone(
            order=self.order,
            code=self.text(),
            title=self.text(),
            planned_on=ago(20),
            reached_on=ago(18),
            evidence=self.text(),
        )
        self.awaited = make.milestone(
            order=self.order,
            code=self.text(),
            title=self.text(),
            planned_on=ago(-3),
            predecessors=[self.reached.code],
            position=2,
        )
        make.forecast(self.awaited, ago(-9), said_on=ago(1), reason=self.text(), stated_by=buyer)
        self.drafted, self.moving = (make.order(factory=self.factory, number=self.text()) for _ in range(2))
        self.planned = make.milestone(
            order=self.drafted, code=self.text(), title=self.text(), planned_on=ago(-30), frozen_at=None
        )
        moved = make.milestone(order=self.moving, code=self.text(), title=self.text(), planned_on=ago(-30))
        make.rebaseline(moved, reason=self.text(), asked_by=buyer)

    def make_surroundings(self, admin, buyer):
        day = judged.ago(1)
        # Orders stay open whatever the grade will be.
        self.override = StandingOverride.objects.create(
            factory=self.factory, reason=self.text(), from_on=day, until_on=judged.ago(-30), granted_by=admin
        )
        numbers = dict.fromkeys(
            ["issued", "net_issued", "theoretical", "loss", "allowed", "excess", "unit_cost", "charge_exact"], 5
        )
        self.claim = Claim.objects.create(
            factory=self.factory, order_material=self.supplied, state="sent", closed_on=day, currency="USD", charge=5,
            evidence=self.text(), reference=self.text(), created_by=admin, **numbers,
        )  # fmt: skip
        ClaimStep.objects.create(claim=self.claim, what="sent", by=admin, note=self.text())
        self.evidence = make.evidence(
            claim=self.claim, name=f"{self.text()}.txt", content=self.text(), caption=self.text(), added_by=admin
        )
        another = make.order_material(order=self.closed)
        self.draft = Claim.objects.create(
            factory=self.factory,
            order_material=another,
            closed_on=day,
            currency="USD",
            charge=5,
            created_by=admin,
            **numbers,
        )
        self.noted = make.evidence(claim=self.draft, caption=self.text(), added_by=admin)
        self.removed = make.evidence(
            claim=self.draft, caption=self.text(), added_by=admin, removed_by=admin, removed_at=timezone.now()
        )
        self.action = Action.objects.create(
            factory=self.factory, title=self.text(), ask=self.text(), due_on=judged.ago(-9), asked_by=admin
        )
        ActionStep.objects.create(action=self.action, what="asked", by=admin, note=self.text())
        self.dispute = make.dispute(line=self.line, reason=self.text(), raised_by=self.contact)
        make.dispute(
            delivery=self.delivery, reason=self.text(), raised_by=self.contact, state="declined", answer=self.text(),
            answered_by=admin, answered_at=timezone.now(),
        )  # fmt: skip
        self.exclusion = make.exclusion(line=self.line, reason=self.text(), evidence=self.text(), proposed_by=buyer)
        make.exclusion(
            lot=make.lot(line=self.line, code=self.text()), reason=self.text(), on=day, lifted_on=day, decided_by=admin,
            decision_note=self.text(), lift_reason=self.text(), proposed_by=buyer,
        )  # fmt: skip
        Watch.objects.create(user=admin, factory=self.factory)
        self.proposal = Policy.objects.create(
            factory=self.factory, effective_from=judged.ago(-30), proposed_from=judged.ago(-30), state="proposed",
            created_by=admin, note=self.text(),
        )  # fmt: skip
        Policy.objects.create(
            factory=self.factory, effective_from=judged.ago(-30), state="declined", reason=self.text(), created_by=admin
        )
        message = Message.objects.create(
            recipient=self.contact, address=self.contact.email, kind="breach", key=self.text(), thread=self.text(),
            subject=self.text(), text=self.text(), html=self.text(), state="sent", sent_at=timezone.now(),
            last_error=self.text(),
        )  # fmt: skip
        SendAttempt.objects.create(message=message, outcome="sent", text=self.text())

    def judged(self):
        """What the jobs have made of it, and the addresses that lead to it all."""
        self.breach = Breach.objects.filter(factory=self.factory, event="charge").get()
        Breach.objects.filter(factory=self.factory).update(reason=self.text())
        Standing.objects.filter(factory=self.factory).update(deposit_terms=self.text())
        BreachStep.objects.create(breach=self.breach, on=self.today, what="acknowledged", note=self.text())
        self.policy = Policy.objects.agreed().get(factory=self.factory)
        month = Evaluation.objects.filter(factory=self.factory, kind="month").latest("as_of")
        order = {"factory": self.factory.code, "number": self.order.number}
        self.named = {
            "factory": {"code": self.factory.code},
            "score": {"code": self.factory.code, "period": month.period},
            "measure": {"code": self.factory.code, "period": month.period, "measure": "otif"},
            "factory_measure": {"code": self.factory.code, "measure": "otif"},
            "breach": {"pk": self.breach.pk},
            "policy": {"pk": self.policy.pk},
            "proposal": {"pk": self.proposal.pk},
            "calendar": {"code": self.factory.calendar.code},
            "calendar_day": {"code": self.factory.calendar.code, "pk": self.factory.calendar.exceptions.get().pk},
            "override": {"code": self.factory.code, "pk": self.override.pk},
            "grade": {"grade": "failing"},
            "claim": {"pk": self.claim.pk},
            "evidence": {"pk": self.claim.pk, "evidence": self.evidence.pk},
            "draft_evidence": {"pk": self.draft.pk, "evidence": self.noted.pk},
            "removed_evidence": {"pk": self.draft.pk, "evidence": self.removed.pk},
            "dispute": {"pk": self.dispute.pk},
            "action": {"pk": self.action.pk},
            "action_move": {"pk": self.action.pk, "name": "answer"},
            "exclusion": {"pk": self.exclusion.pk},
            "exclusion_move": {"pk": self.exclusion.pk, "name": "approve"},
            "run": {"pk": month.pk},
            "move": {"pk": self.claim.pk, "name": "accept"},
            "supplied": {"pk": self.lost.pk},
            "number": {"number": self.order.number},
            "order": order,
            "closed_order": {"factory": self.factory.code, "number": self.closed.number},
            "drafted": {"factory": self.factory.code, "number": self.drafted.number},
            "moving": {"factory": self.factory.code, "number": self.moving.number},
            "awaited": order | {"code": self.awaited.code},
            "reached": order | {"code": self.reached.code},
            "revision": order | {"pk": self.revision.pk},
            "line": order | {"line": self.line.number},
            "delivery": {"pk": self.delivery.pk},
            "inspection": {"pk": self.inspection.pk},
            "key": {"uidb36": "zz", "key": "set-nothing"},
        }
        return self


class Nowhere:
    """The addresses of a factory that does not exist."""

    def __init__(self, like):
        self.named = {
            of: {name: self.unknown(value) for name, value in kwargs.items()} for of, kwargs in like.named.items()
        }

    @staticmethod
    def unknown(value):
        if isinstance(value, int):
            return value + 900_000_000
        return value.replace(CANARY, NOBODY).replace(CANARY.lower(), NOBODY.lower())


@dataclass
class World:
    """Two factories, a reader of each kind, and their sessions."""

    ours: Side
    theirs: Side
    nowhere: Nowhere
    people: dict[str, User]
    sessions: dict[str, str]

    def client(self, reader, **options):
        """A browser in which this reader is signed in; no request of one client is seen by another."""
        client = Client(**options)
        if reader != "anonymous":
            client.cookies["session"] = self.sessions[reader]
        return client


def build():
    today = judged.ago(0)
    make.shipped_policy()
    people = {role: make.user(role) for role in ("manager", "buyer", "inspector", "officer", "admin")}
    ours = Side("OURFACTS", quantity=1200, staff=people, today=today)
    theirs = Side(CANARY, quantity=CANARY_QUANTITY, staff=people, today=today)
    people |= {"own": ours.contact, "foreign": theirs.contact}
    rollups.rebuild()
    judged.judge()
    for job in (Heartbeat.EVALUATOR, Heartbeat.SENDER):
        Heartbeat.objects.beat(job)
    Message.objects.filter(state="owed").update(state="sent", sent_at=timezone.now())
    sessions = {}
    for reader, person in people.items():
        client = Client()
        client.force_login(person)
        sessions[reader] = client.cookies["session"].value
    ours.judged(), theirs.judged()
    return World(ours, theirs, Nowhere(theirs), people, sessions)


@contextlib.contextmanager
def built_once():
    """The world in a transaction that is never committed."""
    with transaction.atomic():
        made = build()
        connection.check_constraints()  # now, once: else each test checks all rows of the open transaction again
        yield made
        transaction.set_rollback(True)


@contextlib.contextmanager
def undone():
    """What happens inside has not happened afterwards."""
    cache.clear()
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def checksums():
    """{table: checksum of its rows} of the whole database."""
    with connection.cursor() as cursor:
        tables = sorted(set(connection.introspection.table_names(cursor)) - UNSEEN_TABLES)
        cursor.execute(
            " UNION ALL ".join(
                f"SELECT '{table}', md5(string_agg(t::text, '|' ORDER BY t::text)) FROM \"{table}\" t"
                for table in tables
            )
        )
        return dict(cursor.fetchall())


# Reading an answer


def body(response):
    return b"".join(response.streaming_content) if response.streaming else response.content


def answered(response):
    """The status, or `sign-in`."""
    if response.status_code == 302 and response["Location"].startswith("/account/login/?next="):
        return "sign-in"
    return str(response.status_code)


def masked(text, *typed):
    """A page without the token that differs each time and without what the reader has typed, however it is written."""
    text = re.sub(r'(csrfmiddlewaretoken" value=")\w+', r"\1", text)
    for word in sorted(filter(None, typed), key=len, reverse=True):
        for written in {word, quote(word), quote(word, safe=""), word.replace(" ", "+"), html.escape(word)}:
            text = re.sub(re.escape(written), "TYPED", text, flags=re.IGNORECASE)
    return text


def links_of(page, address):
    """The addresses of this site that a page leads to, outside the admin."""
    for link in re.findall(r'<a\b[^>]*\bhref="([^"]*)"', page):
        link = link.replace("&amp;", "&").split("#")[0]
        if link.startswith("?"):
            link = address.split("?")[0] + link
        if link.startswith("/") and not link.startswith(("/static/", "/admin-area/")):
            yield link


def kind_of(link):
    """Links of one kind have the same view and the same names of parameters."""
    path, _, query = link.partition("?")
    try:
        view = resolve(path).url_name
    except Resolver404:
        view = path
    return view, tuple(sorted({part.partition("=")[0] for part in query.split("&")}))


def crawled(client, of_each_kind):
    """(address, the page that leads there, answer): follows links from the start page, so many of each kind."""
    waiting, seen, kinds = [("/", "/")], {"/"}, Counter()
    while waiting:
        address, source = waiting.pop(0)
        response = client.get(address)
        yield address, source, response
        if response.get("Content-Type", "").startswith("text/html"):
            for link in links_of(response.content.decode(), address):
                if link not in seen and kinds[kind_of(link)] < of_each_kind:
                    seen.add(link)
                    kinds[kind_of(link)] += 1
                    waiting.append((link, address))
