"""Every page in a real browser, read by axe: no serious and no critical finding, and nothing wider than the screen."""

from importlib.resources import files
from urllib.parse import urlsplit

import pytest
from django.contrib.staticfiles import finders
from django.db import connections

from tests import authorization
from tests.authorization import READERS, RULES

pytestmark = [pytest.mark.django_db, pytest.mark.browser]

AXE = (files("axe_playwright_python") / "axe.min.js").read_text()
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
FORBIDDEN = ("serious", "critical")
MEASURE = """async (standards) => {
  const found = await axe.run(document, { runOnly: { type: "tag", values: standards }, resultTypes: ["violations"] });
  return [document.documentElement.scrollWidth, found.violations.map((v) =>
    [v.impact, v.id, v.nodes.map((n) => n.html.slice(0, 160)).slice(0, 3)])];
}"""


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        with authorization.built_once() as made:
            yield made
        connections.close_all()  # that of this thread since the browser runs in it


def looked_at():
    """Each address that shows a page, with the first reader who sees it; the start page, which differs, with each."""
    for rule in RULES:
        readers = [reader for reader in READERS if rule.get[reader] == "200"]
        for reader in readers if rule.name == "home" else readers[:1]:
            yield rule, reader


def served(answers):
    """The pages that were fetched from Django before, by their path; the style sheet and scripts from their files."""

    def serve(route):
        path = urlsplit(route.request.url).path
        if path.startswith("/static/"):
            route.fulfill(path=finders.find(path.removeprefix("/static/")))
        else:
            route.fulfill(headers=dict(answers[path].items()), body=answers[path].content)

    return serve


@pytest.mark.soak
@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_no_page_has_a_serious_finding_or_is_wider_than_the_screen(world, browser, width, scheme):
    wrong, seen = [], 0
    for reader in READERS:
        client, answers = world.client(reader), {}
        context = browser.new_context(
            base_url="http://testserver", viewport={"width": width, "height": 800}, color_scheme=scheme
        )
        context.route("**/*", served(answers))
        page = context.new_page()
        for rule, who in looked_at():
            address = rule.address(world.ours)
            if who != reader or "html" not in (answer := client.get(address)).headers.get("Content-Type", ""):
                continue
            answers[urlsplit(address).path] = answer
            page.goto(address)
            page.evaluate(AXE)
            wide, findings = page.evaluate(MEASURE, STANDARDS)
            wrong += [(rule.name, reader, *finding) for finding in findings if finding[0] in FORBIDDEN]
            if wide > width:
                wrong.append((rule.name, reader, f"{wide} pixels wide"))
            seen += 1
        context.close()
    assert wrong == []
    assert seen > 70
