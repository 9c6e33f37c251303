"""What every answer tells the browser, and that nothing typed into an address breaks a page."""

import re
from urllib.parse import quote

import pytest
from django.urls import reverse

from assessments.views import search
from tests import authorization
from tests.authorization import RULES, body, undone

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("plain_templates")]
POLICY = {
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' blob: data:", "connect-src 'self'",
    "font-src 'self'", "manifest-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'",
}  # fmt: skip
# What somebody attached: nothing at all is allowed to it.
OF_AN_UPLOAD = {"default-src 'none'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "sandbox"}
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
# What the policy above forbids, so that a page which holds it does not work.
INLINE = re.compile(r"""<style|\sstyle=|\son[a-z]+=["']|javascript:|<script(?![^>]*\bsrc=)[^>]*>""", re.IGNORECASE)


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), authorization.built_once() as made:
        yield made


def faults(response, *, signed_in, policy=POLICY):
    """What is wrong with the headers of an answer, in words."""
    found = [f"{name}: {response.get(name)}" for name, expected in ALWAYS.items() if response.get(name) != expected]
    said = response.get("Content-Security-Policy", "")
    if {part.strip() for part in said.split(";") if part.strip()} != policy:
        found.append(f"policy: {said}")
    if signed_in and "no-store" not in response.get("Cache-Control", ""):
        found.append(f"may be kept: {response.get('Cache-Control')}")
    for cookie in response.cookies.values():
        is_kept = cookie.value != ""  # signing out takes the session's cookie away
        if is_kept and not cookie["httponly"] or cookie["samesite"] != "Lax":
            found.append(f"cookie: {cookie.OutputString()}")
    if response.get("Content-Type", "").startswith("text/html") and (
        inline := INLINE.search(response.content.decode())
    ):
        found.append(f"inline: {inline[0]}")
    return found


# Headers


@pytest.mark.parametrize("reader", ["anonymous", "manager", "own"])
def test_every_answer_carries_the_walls(world, reader):
    wrong = []
    for rule in RULES:
        for method in ("get", "post") if rule.writes and reader == "manager" else ("get",):
            with undone():
                response = getattr(world.client(reader), method)(rule.address(world.ours))
            signed_in = reader != "anonymous" and rule.name != "account_logout"
            is_upload = rule.name == "evidence_file" and response.status_code == 200
            for fault in faults(response, signed_in=signed_in, policy=OF_AN_UPLOAD if is_upload else POLICY):
                wrong.append(f"{method} {rule.name} {response.status_code}: {fault}")
    assert not wrong, "\n".join(wrong)


def test_refusals_and_failures_carry_the_walls_too(world, monkeypatch):
    client = world.client("manager", raise_request_exception=False)
    monkeypatch.setattr(search, "cleaned", lambda text: 1 / 0)
    answers = {
        404: client.get("/no/such/page/"),
        405: client.put("/orders/"),
        403: world.client("officer").get("/orders/"),
        500: client.get("/search/?q=x"),
        400: client.post("/theme/", {"theme": "pink"}),
    }
    answers |= {"csrf": world.client("manager", enforce_csrf_checks=True).post("/theme/", {"theme": "dark"})}
    wrong = [f"{name}: {fault}" for name, answer in answers.items() for fault in faults(answer, signed_in=True)]
    assert not wrong, "\n".join(wrong)
    assert {name: answer.status_code for name, answer in answers.items()} == {
        404: 404, 405: 405, 403: 403, 500: 500, 400: 400, "csrf": 403,
    }  # fmt: skip
    assert "Traceback" not in answers[500].content.decode()
    assert "ZeroDivision" not in answers[500].content.decode()


def test_the_administration_carries_the_walls(world):
    client = world.client("admin")
    for page in ("/admin-area/", "/admin-area/assessments/policy/", "/admin-area/assessments/policy/add/"):
        found = [fault for fault in faults(client.get(page), signed_in=True) if not fault.startswith("inline")]
        assert not found, page


def test_files_are_downloads_that_no_browser_guesses_about(world):
    client = world.client("own")
    for page in (
        "/deliveries/?format=csv",
        "/deliveries/?format=xlsx",
        "/inspections/?format=csv",
        "/factories/?format=csv",
    ):
        response = client.get(page)
        assert response["Content-Disposition"].startswith("attachment; filename="), page
        assert not faults(response, signed_in=True), page
        assert body(response)


def test_nobody_is_sent_to_another_site(world):
    elsewhere = ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "\x00//evil.example",
                 "http:///evil.example", "https:evil.example"]  # fmt: skip
    people = world.people
    for target in elsewhere:
        with undone():
            client = world.client("manager")
            for response in (
                client.post("/theme/", {"theme": "dark", "next": target}),
                client.get("/account/login/", {"next": target}),
                client.post(reverse("factory_watch", kwargs=world.ours.named["factory"]), {"next": target}),
                client.get("/admin-area/login/", {"next": target}),
                world.client("anonymous").post("/account/login/", {
                    "login": people["manager"].email, "password": "correct horse battery staple", "next": target,
                }),
            ):  # fmt: skip
                assert "evil" not in response.get("Location", ""), target
                assert "javascript" not in response.get("Location", ""), target


def test_asking_for_a_new_password_does_not_tell_who_has_an_account(world, mailoutbox):
    answers = []
    for email in (world.people["own"].email, "nobody@example.com"):
        with undone():
            response = world.client("anonymous").post("/account/password/reset/", {"email": email})
        answers.append((response.status_code, response["Location"], response.content))
    assert answers[0] == answers[1]
    assert [mail.to for mail in mailoutbox] == [[world.people["own"].email]]


# Junk


NASTY = {
    "nul": "a\x00b", "long": "A" * 10_000, "emoji": "🏭🧵", "negative": "-1", "huge": "9" * 19, "huger": "9" * 400,
    "no such day": "2026-02-30", "markup": "<script>alert(1)</script>", "percent": "%00%25%", "arabic digits": "٣٤",
    "superscript": "²", "quotes": "'\"`;--", "mark": "2026-01-01~" + "9" * 30, "float": "1e999",
    "not a number": "NaN", "far": "99999-12-31",
}  # fmt: skip
READ = [rule for rule in RULES if rule.query]
ALONE = ["nul", "huge", "no such day"]  # also one parameter at a time


def check_parameters(world, rule, queries):
    client, address = world.client("manager", raise_request_exception=False), rule.address(world.ours)
    for query in queries:
        response = client.get(address, query)
        assert response.status_code < 500, query
        assert "<script>alert" not in body(response).decode(errors="replace"), query


@pytest.mark.parametrize("rule", READ, ids=lambda rule: rule.name)
def test_no_parameter_breaks_a_page(world, rule):
    check_parameters(world, rule, [dict.fromkeys(rule.query, value) for value in NASTY.values()])


@pytest.mark.soak
@pytest.mark.parametrize("rule", READ, ids=lambda rule: rule.name)
def test_no_parameter_alone_breaks_a_page(world, rule):
    check_parameters(world, rule, [{name: NASTY[kind]} for kind in ALONE for name in rule.query])


@pytest.mark.parametrize("rule", READ, ids=lambda rule: rule.name)
def test_repeated_and_broken_query_strings_break_no_page(world, rule):
    client, address = world.client("manager", raise_request_exception=False), rule.address(world.ours)
    first = rule.query[0]
    strings = ["&".join(f"{name}=1&{name}=%00&{name}=" for name in rule.query), f"{first}=%ff%ED%A0%80",
               f"{first}&&==&={first}[]=1&{first}[a]=b&x=" + "y" * 3000]  # fmt: skip
    for string in strings:
        assert client.get(f"{address}?{string}").status_code < 500, string


def test_no_junk_in_the_path_breaks_a_page(world):
    client = world.client("manager", raise_request_exception=False)
    for rule in RULES:
        if rule.of:
            kwargs = world.ours.named[rule.of]
            for name, value in kwargs.items():
                for kind in ("nul", "long", "emoji", "huge", "no such day"):
                    marked = reverse(rule.name, kwargs=kwargs | {name: 987654321 if isinstance(value, int) else value})
                    old = "987654321" if isinstance(value, int) else quote(value)
                    address = marked.replace(old, quote(NASTY[kind], safe=""), 1)
                    assert client.get(address).status_code < 500, (rule.name, name, kind)


def test_no_junk_in_a_form_breaks_a_page(world):
    fields = ["do", "line", "code", "pick", "quantity", "site", "product", "number", "factory", "idem", "seen", "opened",
              "received_at", "lot_code", "material", "unit", "to_order", "kind", "new_on", "cancelled_on", "closed_on",
              "confirmed_on", "moved_on", "unit_cost", "next", "note", "reason", "theme", "units_inspected", "lot_quantity",
              "inspected_on", "verdict", "effective_from", "defect_limit", "category", "checked", "settled_on", "evidence",
              "settlement_rate", "settlement_currency", "login", "password", "email"]  # fmt: skip
    for rule in RULES:
        if rule.writes:
            query = f"?line={world.ours.line.code}" if rule.name == "inspection_new" else ""
            for kind in ("nul", "emoji", "huger", "far"):
                with undone():
                    client = world.client("manager", raise_request_exception=False)
                    form = dict.fromkeys(fields, NASTY[kind]) | {"do": "save"}
                    assert client.post(rule.address(world.ours) + query, form).status_code < 500, (rule.name, kind)


def test_a_form_that_is_sent_empty_says_so_instead_of_having_saved(world):
    for rule in RULES:
        if rule.writes and rule.of in {"order", "delivery"} and rule.name not in {"delivery_undo", "order_confirm"}:
            with undone():
                response = world.client("manager").post(rule.address(world.ours))
                assert response.status_code in {200, 422}, rule.name
