"""A factory sees nothing of another one and changes nothing of it, whatever is typed into an address or a form."""

import io
import re
import zipfile

import pytest
from django.apps import apps
from django.db.models import CharField, JSONField, TextField
from django.urls import reverse

from tests import authorization
from tests.authorization import (
    CANARY,
    CANARY_QUANTITY,
    NOBODY,
    RULES,
    answered,
    body,
    checksums,
    crawled,
    masked,
    undone,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("plain_templates")]
OURS = ("accounts", "assessments", "factories", "notifications", "production", "stores")
QUANTITIES = [f"{CANARY_QUANTITY}", f"{CANARY_QUANTITY:,}", f"{CANARY_QUANTITY:,}".replace(",", "\u202f")]
# Texts that bear no word of a factory, and why.
WORDLESS = {
    "User.password", "User.time_zone", "Factory.country", "Factory.time_zone", "Site.time_zone",  # codes of the world
    "ClaimEvidence.sha256", "ClaimEvidence.content_type",  # of bytes
    "PurchaseOrder.currency", "OrderMaterial.currency", "Claim.currency", "Claim.settlement_currency",
    "Standing.cap_currency", "GradeConsequence.cap_currency", "MaterialOutcome.currency", "OpenMaterial.currency", "FactoryDay.currency",
    "Product.unit", "Material.unit", "MaterialMovement.unit_entered",
    "Message.kind", "Message.leased_by", "Heartbeat.name", "Heartbeat.note", "JobSlot.job", "JobSlot.slot",  # of jobs
    "Touched.kind", "FactoryDay.cycle_histogram", "Breach.key", "BreachStep.what", "ClaimStep.what", "ActionStep.what", "Standing.grade",
    "Evaluation.sums", "Evaluation.measures", "Evaluation.gates", "Evaluation.flags", "Evaluation.evidence_on",
    "Evaluation.ungated_grade", "Evaluation.raw_grade", "Evaluation.digest", "Evaluation.code_version",
    "GradeConsequence.deposit_terms", "MilestoneTemplate.code", "MilestoneTemplate.title",  # of the seller
    "PastPlans.compared",  # codes of milestones, and numbers
    "WorkingCalendar.country", "CalendarException.source",  # a country, a package
}  # fmt: skip


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), authorization.built_once() as made:
        yield made


@pytest.fixture
def contact(world):
    """The browser of our factory's contact."""
    return world.client("own")


def said(response):
    """All that the reader could read: the body, unpacked if it is a workbook, and the headers."""
    content = body(response)
    if response.get("Content-Type", "").endswith("sheet"):
        with zipfile.ZipFile(io.BytesIO(content)) as book:
            content = b"".join(book.read(name) for name in book.namelist())
    headers = [f"{name}: {value}" for name, value in response.items() if name not in {"Expires", "Content-Length"}]
    return "\n".join([content.decode(errors="replace"), *headers])


def leaks(text, *typed):
    """What a text tells of the other factory, apart from what the reader has typed."""
    text = masked(text, *typed)
    return [word for word in [CANARY, *QUANTITIES] if word.lower() in text.lower()]


def words_of(side):
    """What names the other factory, its people and its things."""
    texts = [
        side.factory.code, side.factory.name, side.factory.local_name,
        side.order.number, side.line.number, f"{side.order.number}/{side.line.number}",
        f"{side.factory.code}/{side.order.number}/{side.line.number}", f"{side.factory.code}/{side.lot.code}",
        side.lot.code, side.product.code, side.product.name, side.site.code, side.material.code,
        side.delivery.document, side.contact.email, side.contact.name, side.claim.evidence, side.evidence.name,
        side.evidence.caption,
        side.exclusion.reason, side.exclusion.evidence,
    ]  # fmt: skip
    return [*texts, side.delivery.code, side.inspection.code, side.breach.code, side.claim.code, side.exclusion.code]


def never_given(word):
    """A word of the same shape that names nothing."""
    if CANARY.lower() in word.lower():
        return word.replace(CANARY, NOBODY).replace(CANARY.lower(), NOBODY.lower())
    return re.sub(r"\d+$", lambda number: "9" * len(number[0]), word)


# The measure itself


def test_every_text_of_the_other_factory_bears_the_canary(world):
    """So that a text that is added later is watched, too."""
    bare = set()
    for model in apps.get_models():
        if model._meta.app_label in OURS and not model.__name__.endswith("Event") and not model._meta.proxy:
            for field in model._meta.concrete_fields:
                name = f"{model.__name__}.{field.name}"
                if isinstance(field, (CharField, TextField, JSONField)) and not field.choices and name not in WORDLESS:
                    if not model.objects.filter(**{f"{field.name}__icontains": CANARY}).exists():
                        bare.add(name)
    assert not bare - {"MarkedCalendar.code", "MarkedCalendar.name", "MarkedException.name"}


def test_the_other_contact_does_see_the_canary(world):
    """Otherwise the tests below would prove nothing."""
    client, seen = world.client("foreign"), 0
    for rule in RULES:
        if rule.get["own"] == "200" and (rule.get["foreign"] == "404" or rule.name.endswith("_list")):
            if rule.name not in {"usersessions_list", "claim_sheet"}:  # sessions are one's own; a PDF is packed
                assert leaks(said(client.get(rule.address(world.theirs)))), rule.name
                seen += 1
    assert seen >= 10
    assert QUANTITIES[1] in said(client.get(world.theirs.order.get_absolute_url()))


# Reading


def test_what_is_of_another_factory_answers_like_what_does_not_exist(world, contact):
    for rule in RULES:
        if rule.of and rule.name != "account_reset_password_from_key":
            foreign, nothing = rule.address(world.theirs), rule.address(world.nowhere)
            one, other = contact.get(foreign), contact.get(nothing)
            assert one.status_code == other.status_code, rule.name
            assert one.status_code in {403, 404, 405}, rule.name
            assert masked(said(one), foreign) == masked(said(other), nothing), rule.name
            assert not leaks(said(one), foreign), rule.name


def test_a_part_of_another_factory_does_not_answer_at_an_address_of_ours(world, contact):
    ours, theirs, manager = world.ours.named, world.theirs.named, world.client("manager")
    for rule in RULES:
        if rule.of in {"order", "revision", "line", "score", "measure"}:
            for name, value in theirs[rule.of].items():
                if value != ours[rule.of][name]:
                    address = reverse(rule.name, kwargs=ours[rule.of] | {name: value})
                    assert contact.get(address).status_code in {403, 404}, address
                    if name != "code":  # a manager may well look at the other factory's score
                        assert manager.get(address).status_code == 404, address


ASKED = [rule for rule in RULES if rule.query and rule.get["own"] in {"200", "302"}]


@pytest.mark.parametrize("rule", ASKED, ids=lambda rule: rule.name)
def test_no_parameter_tells_whether_a_thing_of_another_factory_exists(world, contact, rule):
    """A word of the other factory gives the page that an unknown word gives."""
    address, theirs = rule.address(world.ours), world.theirs
    apt = {"site": theirs.site.code, "category": theirs.factory.category.code, "country": theirs.factory.city}
    for name in rule.query:
        for word in words_of(theirs) if name == "q" else [apt.get(name, theirs.factory.code)]:
            nothing = never_given(word)
            with undone():
                one, other = contact.get(address, {name: word}), contact.get(address, {name: nothing})
            assert answered(one) == answered(other), (name, word)
            assert masked(said(one), word) == masked(said(other), nothing), (name, word)
            assert not leaks(said(one), word), (name, word)


LISTS = [
    "/factories/",
    "/orders/",
    "/deliveries/",
    "/inspections/",
    "/claims/",
    "/disputes/",
    "/restated/",
    "/exclusions/",
]
NARROWED = {
    "/factories/": ["o=-name", "o=score", "o=breaches", "status=breach", "grade=good", "page=2", "format=csv", "format=xlsx"],
    "/orders/": ["state=all", "state=late", "state=at-risk", "state=closed", "state=unreconciled", "after=~1", "before=~999999",
                 "state=all&q=a"],
    "/deliveries/": ["timing=late", "timing=on-time", "format=csv", "format=xlsx", "from=2000-01-01", "to=2049-12-31",
                     "after=2049-01-01~999999", "before=2000-01-01~0", "q=-"],
    "/inspections/": ["verdict=rejected", "format=csv", "format=xlsx", "from=2000-01-01", "after=2049-01-01~999999", "q=-"],
    "/claims/": ["state=all", "state=sent", "state=draft", "page=2", "state=all&format=csv", "state=all&format=xlsx"],
    "/disputes/": ["state=all", "state=answered", "format=csv", "state=all&format=csv", "page=2"],
    "/restated/": ["only=grade", "show=edits", "show=edits&page=2"],
    "/exclusions/": ["state=proposed", "state=lifted", "page=2", "format=csv"],
}  # fmt: skip


@pytest.mark.parametrize("address", LISTS)
def test_no_list_and_no_file_holds_anything_of_another_factory(world, contact, address):
    for query in ["", *NARROWED[address]]:
        response = contact.get(f"{address}?{query}")
        assert response.status_code == 200, query
        text = said(response)
        assert not leaks(text), query
        if "format=" in query and response["Content-Type"].startswith("text/csv"):
            assert "OURFACTS" in text, query


def test_following_every_kind_of_link_leads_nowhere_near_another_factory(contact):
    visited, offered = 0, set()
    for address, _source, response in crawled(contact, 4):
        assert not leaks(said(response)), address
        path, _, query = address.partition("?")
        view = getattr(response.resolver_match, "url_name", path)
        offered |= {(view, part.partition("=")[0]) for part in query.split("&") if part}
        visited += 1
    assert visited > 50
    known = {rule.name: rule.query for rule in RULES}
    assert not {(view, name) for view, name in offered if name not in known[view]}, "parameters the table does not name"


# Writing


def poisoned(side):
    """Every field that any form knows, naming things of the other factory."""
    line = f"{side.factory.code}/{side.order.number}/{side.line.number}"
    fields = {
        "factory": side.factory.code, "number": side.order.number, "line": side.line.number, "pick": line,
        "code": side.line.code, "product": side.product.code, "site": side.site.code, "lot_code": side.lot.code,
        "material": side.material.code, "to_order": side.order.number, "delivery": side.delivery.code,
        "lot": side.lot.pk, "order": side.order.pk, "pk": side.delivery.pk, "id": side.delivery.pk,
        "user": side.contact.pk, "recipient": side.contact.pk, "email": side.contact.email, "login": side.contact.email,
        "category": side.factory.category.pk, "session": "1", "next": side.order.get_absolute_url(),
    }  # fmt: skip
    plain = {
        "do": "save", "quantity": "1", "more": "yes", "reason": "x", "note": "x", "kind": "transfer", "by": "buyer",
        "cause": "buyer", "new_on": "2026-12-01", "asked_on": "2026-11-01", "cancelled_on": "2026-11-01",
        "moved_on": "2026-11-01", "closed_on": "2026-11-01", "closed_short_on": "2026-11-01", "sure": "on",
        "confirmed_on": "2026-11-01", "correction_reason": "x", "condition": "fine", "stage": "final",
        "source": "buyer", "inspected_on": "2026-11-01", "original": "no", "units_inspected": "1", "verdict": "accepted",
        "approve": "on", "settled_by": "payment", "settled_on": "2026-11-01", "evidence": "x",
        "how": "declined", "answer": "x", "answer-note": "x", "title": "x", "due_on": "2049-01-01",
    }  # fmt: skip
    return plain | fields


MINE_TO_MOVE = {
    "claim_move",
    "evidence_add",
    "action_move",
    "dispute_withdraw",
    "plan_confirm",
    "milestone_forecast",
}  # at an address of the own factory the contact may
ANYBODY_MAY = {"account_reset_password"}  # asks for a mail to an address; nothing changes without its link


def test_a_contact_changes_no_row_of_another_factory(world, contact):
    form = poisoned(world.theirs)
    for side in (world.theirs, world.ours):
        with undone():
            before = checksums()
            for rule in RULES:
                if (
                    rule.writes
                    and rule.name not in ANYBODY_MAY
                    and not (side is world.ours and rule.name in MINE_TO_MOVE)
                ):
                    answer = world.client("own").post(rule.address(side), form)
                    # The address that was asked for stands on the page again, as the way back after the theme is changed.
                    assert not leaks(said(answer), rule.address(side), *map(str, form.values())), rule.name
                    if checksums() != before:
                        pytest.fail(f"{rule.name} has changed something")


def test_a_contact_cannot_answer_a_claim_against_another_factory(world, contact):
    for move in ("send", "accept", "dispute", "waive", "settle"):
        address = reverse("claim_move", kwargs={"pk": world.theirs.claim.pk, "name": move})
        nothing = reverse("claim_move", kwargs={"pk": world.nowhere.named["claim"]["pk"], "name": move})
        before = checksums()
        one, other = contact.post(address, {"note": "x"}), contact.post(nothing, {"note": "x"})
        assert (one.status_code, other.status_code) == (404, 404)
        assert checksums() == before


def rows_of(side):
    """The rows of one factory, by table, as they stand."""
    found = {}
    for model in apps.get_models():
        names = {field.name for field in model._meta.concrete_fields}
        path = "factory" if "factory" in names else "line__factory" if "line" in names else None
        if path and model._meta.app_label in OURS and not model.__name__.endswith("Event"):
            found[model.__name__] = list(model.objects.filter(**{path: side.factory.pk}).order_by("pk").values())
    return found


@pytest.mark.parametrize("reader", ["manager", "buyer", "inspector", "admin"])
def test_a_form_of_one_factory_writes_nothing_to_another(world, reader):
    """The reader may write to both; an address of the one must not let fields reach into the other."""
    form = poisoned(world.theirs)
    before = rows_of(world.theirs)
    for rule in RULES:
        if rule.writes and rule.of and rule.post[reader] in {"302", "303", "422"}:
            with undone():
                world.client(reader).post(rule.address(world.ours), form)
                assert rows_of(world.theirs) == before, rule.name


# At once


PAGES = ["/", "/orders/", "/deliveries/?format=csv", "/account/notifications/", "/search/?q=OURFACTS"]


def test_an_account_that_is_switched_off_is_out_at_the_next_click(world, contact):
    pages = [*PAGES, world.ours.order.get_absolute_url()]
    assert {contact.get(page).status_code for page in pages} <= {200, 302}
    world.people["own"].is_active = False
    world.people["own"].save()
    assert {answered(contact.get(page)) for page in pages} == {"sign-in"}
    assert answered(contact.post("/theme/", {"theme": "dark"})) == "sign-in"


def test_a_membership_that_is_withdrawn_is_gone_at_the_next_click(world, contact):
    ours = world.ours
    pages = [rule.address(ours) for rule in RULES if rule.get["own"] == "200" and rule.get["foreign"] == "404"]
    assert {contact.get(page).status_code for page in pages} == {200}
    world.people["own"].memberships.all().delete()
    assert {contact.get(page).status_code for page in pages} == {404}
    for page in [*LISTS, "/", "/deliveries/?format=csv", "/inspections/?format=xlsx"]:
        assert "OURFACTS" not in masked(said(contact.get(page)), ours.contact.name, ours.contact.email), page
    move = reverse("claim_move", kwargs=ours.named["move"])
    assert contact.post(move).status_code == 404


def test_a_role_that_is_taken_away_is_gone_at_the_next_click(world):
    client, manager = world.client("manager"), world.people["manager"]
    assert client.get("/policies/").status_code == 200
    manager.role = "inspector"
    manager.save()
    assert client.get("/policies/").status_code == 403
    assert client.post("/orders/new/", {"x": "1"}).status_code == 403
