"""Every address, every reader: who is let in, who is sent to sign in, who is refused and changes nothing."""

import os
from pathlib import Path

import pytest
from django.conf import settings

from tests import authorization, judged
from tests.authorization import READERS, RULES, TABLE, answered, checksums, crawled, undone

DOCS = Path(settings.BASE_DIR) / "docs" / "authorization.md"
WRITERS = [rule for rule in RULES if rule.writes]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("plain_templates")]
OWN_ACCOUNT = ("account_", "mfa_", "usersessions_")
ALLOWED = {"200", "302", "303", "422"}


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), authorization.built_once() as made:
        yield made


def sent(rule, world):
    """(query string, form) of a POST that is good, or nearly so, for an address of our factory."""
    ours, today = world.ours, str(judged.ago(0))
    forms = {
        "theme": {"theme": "dark"},
        "breach_acknowledge": {"note": "asked"},
        "factory_overrides": {"reason": "the moulds are there", "from_on": today, "until_on": today},
        "grade_edit": {"orders": "free", "inspection": "normal", "cap_currency": "USD"},
        "breach_resolve": {"reason": "over"},
        "policy_four_eyes": {"do": "on"},
        "calendar_day": {"day": today, "is_open": "no"},
        "calendar_take_in": {"country": "VN", "years": "2026"},
        "calendar_factory": {"factory": world.theirs.factory.code},
        "policy_decline": {"reason": "too strict"},
        "order_new": {"factory": ours.factory.code, "number": "NEW-1", "currency": "USD", "ordered_on": today,
                      "loss_allowance": "0.03", "loss_base": "net_issued"},
        "line_new": {"number": "L9", "product": ours.product.code, "site": ours.site.code, "quantity": "5",
                     "grace_days": "0", "grace_unit": "calendar", "tol_under": "0", "over_policy": "ok",
                     "early_policy": "ok"},
        "order_confirm": {"confirmed_on": today, f"line_{ours.line.pk}": str(judged.ago(-5))},
        "revision_new": {"line": ours.line.number, "new_on": str(judged.ago(-20)), "cause": "buyer", "asked_on": today,
                         "reason": "moved"},
        "cancellation_new": {"line": ours.line.number, "quantity": "1", "by": "buyer", "cancelled_on": today,
                             "reason": "less"},
        "line_close_short": {"line": ours.line.number, "closed_short_on": today, "reason": "no more"},
        "order_close": {"closed_on": today, "sure": "on"},
        "order_reopen": {"reason": "a return was forgotten"},
        "movement_new": {"kind": "issue", "material": ours.material.code, "quantity": "5", "unit_cost": "1",
                         "moved_on": today},
        "delivery_new": {"do": "save", "line": f"{ours.factory.code}/{ours.order.number}/{ours.line.number}",
                         "quantity": "5", "more": "yes"},
        "delivery_correct": {"do": "save"},
        "delivery_take_back": {"reason": "wrong line"},
        "inspection_new": {"do": "save", "stage": "final", "source": "buyer", "inspected_on": today, "original": "no",
                           "units_inspected": "10", "verdict": "accepted", "note": "as agreed"},
        "claim_move": {"note": "Ms Lan by telephone, today"},
        "evidence_add": {"caption": "the weigh note is in the folder"},
        "action_new": {"title": "needle log", "due_on": today},
        "action_move": {"answer-note": "the log is at line 4"},
        "plan_edit": {f"day_{ours.planned.code}": today},
        "plan_move": {f"day_{ours.awaited.code}": judged.ago(-5), "reason": "we changed the print"},
        "plan_move_decide": {"answer": "approve"},
        "milestone_forecast": {"forecast_on": judged.ago(-12), "reason": "no space on the vessel"},
        "milestone_reached": {"actual_on": today, "evidence": "report 7"},
        "dispute_new": {"reason": "the dock was closed"},
        "dispute_answer": {"how": "declined", "answer": "it was open"},
        "exclusion_new": {"reason": "the forwarder was late"},
        "account_reset_password": {"email": "nobody@example.com"},
        "account_login": {"login": "nobody@example.com", "password": "not the right one"},
    }  # fmt: skip
    lot = f"?lot={ours.factory.code}/{ours.lot.code}"
    queries = {"inspection_new": lot, "dispute_new": lot, "exclusion_new": f"?lot={ours.lot.pk}"}
    query = queries.get(rule.name, "")
    return query, forms.get(rule.name, {"x": "1"})


def differences(found, rules_answers):
    """The cells where what was answered is not what the table says."""
    return [
        f"{name}, {reader}: {answer} instead of {expected}"
        for (name, reader), answer in found.items()
        if answer != (expected := rules_answers[name][reader])
    ]


# The table holds everything


def test_every_address_stands_in_the_table_and_nothing_else():
    routed = {(path, name) for path, name in authorization.patterns()}
    known = {(rule.path, rule.name) for rule in RULES} | {(TABLE["prefix"]["path"], "admin")}
    assert routed == known


def test_the_page_for_people_says_what_the_table_says():
    """To write the page anew after a change of the table: WRITE_DOCS=1 pytest tests/test_authorization.py -k people."""
    head, _, tail = DOCS.read_text().partition("| address |")
    said = head + authorization.as_markdown() + tail[tail.index("\n\n") + 1 :]
    if os.environ.get("WRITE_DOCS"):
        DOCS.write_text(said)
    assert DOCS.read_text() == said


# Looking


def test_every_page_answers_every_reader_as_the_table_says_and_changes_nothing(world):
    found, before = {}, checksums()
    for rule in RULES:
        for reader in READERS:
            found[rule.name, reader] = answered(world.client(reader).get(rule.address(world.ours)))
    assert not (wrong := differences(found, {rule.name: rule.get for rule in RULES})), "\n".join(wrong)
    assert checksums() == before, "looking has changed something"


def test_the_admin_is_for_administrators_who_came_through_the_same_sign_in(world):
    expected = dict(zip(READERS, TABLE["prefix"]["get"].split(), strict=True))
    pages = ["/admin-area/", "/admin-area/login/", "/admin-area/production/purchaseorder/",
             f"/admin-area/production/delivery/{world.ours.delivery.pk}/change/"]  # fmt: skip
    found = {}
    for page in pages:
        for reader in READERS:
            with undone():
                response = world.client(reader).get(page)
                if response.status_code == 302 and "/admin-area/" in response["Location"].split("?")[0]:
                    response = world.client(reader).get(response["Location"])
                found[page, reader] = answered(response)
    assert not differences(found, dict.fromkeys(pages, expected))


def test_a_password_alone_opens_no_side_door_to_the_admin(world):
    with undone():
        client = world.client("anonymous")
        form = {"username": world.people["admin"].email, "password": "correct horse battery staple"}
        assert answered(client.post("/admin-area/login/", form)) == "sign-in"
        assert client.get("/admin-area/", follow=True).redirect_chain[-1][0].startswith("/account/login/")


# Writing


def test_every_form_answers_every_reader_as_the_table_says(world):
    found = {}
    for rule in RULES:
        query, form = sent(rule, world)
        for reader in READERS:
            with undone():
                found[rule.name, reader] = answered(world.client(reader).post(rule.address(world.ours) + query, form))
    assert not (wrong := differences(found, {rule.name: rule.post for rule in RULES})), "\n".join(wrong)


def test_who_is_refused_changes_no_row(world):
    for rule in WRITERS:
        if rule.name.startswith(OWN_ACCOUNT):
            continue
        query, form = sent(rule, world)
        with undone():
            before = checksums()
            for reader in READERS:
                if rule.post[reader] not in ALLOWED:
                    world.client(reader).post(rule.address(world.ours) + query, form)
            assert checksums() == before, rule.name


def test_who_is_let_in_does_change_something(world):
    """Otherwise the test before this one would prove nothing."""
    for rule in WRITERS:
        if rule.name.startswith(OWN_ACCOUNT) or rule.post["manager"] not in {"302", "303"}:
            continue
        query, form = sent(rule, world)
        with undone():
            before = checksums()
            # Only its author may undo a delivery.
            reader = "buyer" if rule.name == "delivery_undo" else "manager"
            world.client(reader).post(rule.address(world.ours) + query, form)
            assert checksums() != before, rule.name


def test_no_form_is_taken_from_another_site(world):
    before = checksums()
    for rule in WRITERS:
        query, form = sent(rule, world)
        client = world.client("manager", enforce_csrf_checks=True)
        assert client.post(rule.address(world.ours) + query, form).status_code == 403, rule.name
    assert checksums() == before


def test_no_address_takes_another_method(world):
    before, found = checksums(), {}
    for rule in RULES:
        if not rule.name.startswith(OWN_ACCOUNT):
            for method in ("put", "delete"):
                found[rule, method] = getattr(world.client("manager"), method)(rule.address(world.ours)).status_code
    assert checksums() == before
    for (rule, method), status in found.items():
        assert status in ({200, 302, 403, 405, 422} if rule.writes else {405}), f"{method} {rule.name}: {status}"


def test_pages_may_be_asked_for_their_head_alone(world):
    for rule in RULES:
        if rule.get["manager"] == "200" and not rule.name.startswith(OWN_ACCOUNT):
            assert world.client("manager").head(rule.address(world.ours)).status_code == 200, rule.name


# Links


@pytest.mark.parametrize("reader", ["manager", "inspector", "officer", "own"])
def test_no_page_leads_its_reader_to_a_closed_door(world, reader):
    """Follows the links from the start page, one of each kind."""
    shut = [
        f"{response.status_code} {address} on {source}"
        for address, source, response in crawled(world.client(reader), 1)
        if response.status_code not in {200, 302}
    ]
    assert not shut, "\n".join(shut)
