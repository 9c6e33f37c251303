"""Words that must agree with the numbers beside them, and one day for lateness on every page."""

import datetime
import re
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from assessments.models import Evaluation, Policy
from production import rollups
from tests import judged, make

pytestmark = pytest.mark.django_db
TEMPLATES = Path(__file__).parent.parent / "templates"


@pytest.fixture
def manager(client):
    client.force_login(make.user("manager"))
    return client


def text(response):
    body = response.content.decode().split("<main", 1)[1].split("<footer")[0]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def score_page(client, factory):
    evaluation = Evaluation.objects.filter(factory=factory, kind="night", category=None).latest("pk")
    return evaluation, client.get(evaluation.get_absolute_url())


def test_a_measure_between_limit_and_target_is_not_called_on_target(manager):
    """1 of 20 late: 95 %, above the floor of 90 and below the target of 98."""
    factory = judged.factory("VN-014", lines=20, late=1)
    judged.judge(months=0)
    _, page = score_page(manager, factory)
    measures = {measure["name"]: measure for measure in page.context["measures"]}
    assert measures["otif"]["state"] == "ok"
    assert measures["otif"]["state_word"] == "Within the limit"
    assert measures["defect"]["state_word"] == "", "no defect at all: the target is reached"
    (stat,) = [
        stat for stat in manager.get("/factories/VN-014/").context["stats"] if stat["label"] == "On time in full"
    ]
    assert stat["status_text"] == "Within the limit"


def test_nothing_inspected_is_nothing_to_see(manager):
    factory = judged.factory("ID-004", lines=20, lots=0)
    judged.judge(months=0)
    _, page = score_page(manager, factory)
    assert "See the none" not in text(page)
    assert "What is not counted, and why" in text(page)
    assert "See the 20 lines" in text(page)


def test_too_little_inspected_names_the_share_that_the_policy_asks_for(manager):
    factory = judged.factory("VN-014", lines=12, lots=8)
    Policy.objects.create(factory=factory, effective_from=judged.ago(90), min_coverage=Decimal("0.8"))
    judged.judge(months=0)
    _, page = score_page(manager, factory)
    assert "Less than 80% of what was delivered had been inspected: the grade is at most Good." in text(page)
    assert "Less than 80% of the delivered quantity belongs to inspected lots." in text(page)
    assert "less than half" not in text(page).lower()


def test_the_list_of_factories_names_its_order(manager):
    judged.factory("VN-014", lines=20)
    judged.judge(months=0)
    assert "Sorted by the worse of the published grade" in text(manager.get("/factories/"))
    assert "Sorted by Score." in text(manager.get("/factories/?o=score"))
    assert "Sorted by Breaches, from the top down." in text(manager.get("/factories/?o=-breaches"))


def test_an_open_line_is_late_by_the_day_of_its_site_on_every_page(manager):
    """It is always a day later on Kiritimati than in Pago Pago, whatever the day is for the organisation."""
    factory = make.factory(code="VN-014")
    here = timezone.now().astimezone(ZoneInfo("Pacific/Pago_Pago")).date()
    for number, zone in (("PO-EAST", "Pacific/Kiritimati"), ("PO-WEST", "Pacific/Pago_Pago")):
        site = make.site(time_zone=zone)
        make.line(100, order=make.order(factory=factory, number=number), committed_on=here, site=site)
    rollups.rebuild()
    there = timezone.now().astimezone(ZoneInfo("Pacific/Kiritimati")).date()
    late = (there - here) // datetime.timedelta(days=1)
    home = manager.get("/").context
    assert [(row["code"].split("/")[0], row["days"]) for row in home["late"]["rows"]] == [("PO-EAST", late)]
    assert [row["code"].split("/")[0] for row in home["due"]["rows"]] == ["PO-WEST"]
    orders = manager.get("/orders/?state=late").context["rows"]
    assert [(row["order"].number, row["word"]) for row in orders] == [("PO-EAST", f"{late} day{'s' * (late > 1)} late")]
    running = {row["number"]: (row["late"], row["days"]) for row in manager.get("/factories/VN-014/").context["orders"]}
    assert running == {"PO-EAST": (1, late), "PO-WEST": (0, 0)}


def test_no_link_of_a_template_bears_a_number_as_people_write_it():
    """`?line=2,333` leads nowhere: numbers in the texts of a page have separators, so ids in links say how they are written."""
    found = [
        f"{path.name}: {link}"
        for path in TEMPLATES.rglob("*.html")
        for link in re.findall(r"[?&;]\w+=\{\{ [\w.]*(?:pk|id) \}\}", path.read_text(encoding="utf-8"))
    ]
    assert not found
