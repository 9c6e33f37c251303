"""What the pages say of a factory with few data or none: no nought for what has no number, one line in the singular."""

import pytest
from django.template.loader import render_to_string

from assessments import pdf
from assessments.models import Evaluation
from tests import judged, make
from tests.test_assessment_pages import text

pytestmark = pytest.mark.django_db


@pytest.fixture
def few(db):
    """Padchap: one line due and one lot inspected, our material in an open order, and no month with a score."""
    made = judged.factory("IN-016", name="Padchap Footwear", lines=1, lots=1, inspected=200)
    supplied = make.order_material(order=make.order(factory=made))
    make.material_movement(50, order_material=supplied, moved_on=judged.ago(70))
    judged.judge(months=3)
    return made


def month_of(factory):
    return Evaluation.objects.whole().filter(factory=factory, kind="month").latest("as_of")


def test_where_no_month_has_a_score_nothing_is_said_to_have_moved_it(client, few):
    client.force_login(make.user("manager"))
    page = client.get(month_of(few).get_absolute_url())
    change = page.context["change"]
    assert {each["moved"] for each in change["measures"]} == {"–"}
    assert {cell["adds"] for cause in change["causes"] for cell in cause["cells"]} == {"–"}
    assert set(change["whole_measures"]) == {"–"}
    assert "no score then, none now" in text(page)
    assert "±0.00" not in text(page)


def test_paper_says_the_same(client, few, monkeypatch):
    printed = []
    monkeypatch.setattr(pdf, "of", lambda html: printed.append(html) or b"%PDF")
    client.force_login(make.user("manager"))
    assert client.get(f"{month_of(few).get_absolute_url()}sheet.pdf").status_code == 200
    assert "no score then, none now" in printed[0]


def test_one_line_stands_in_the_singular(client, few):
    client.force_login(make.user("manager"))
    said = text(client.get(month_of(few).get_absolute_url()))
    assert "90% interval: 1 line does not tell the lasting rate to the point" in said
    assert "Graded from 1 closed order on" in said


def test_a_drawing_without_a_point_says_so():
    card = {"title": "Material loss, 12 months", "head": ["Month"], "rows": [["Oct 2026"]]}
    assert "No data to draw yet." in render_to_string("components/chart.html", card | {"chart": ""})
    assert "No data to draw yet." not in render_to_string("components/chart.html", card | {"chart": "<svg></svg>"})


def test_a_score_leads_to_how_it_was_worked_out_and_a_missing_one_nowhere(client, few):
    scored = judged.factory("VN-014", name="Hoa Binh Garment")
    judged.judge()
    night = Evaluation.objects.whole().filter(factory=scored, kind="night").latest("as_of")
    link = f'href="{night.get_absolute_url()}">{night.score}</a>'
    client.force_login(make.user("manager"))
    page = client.get("/factories/").content.decode()
    assert page.count(link) == 1
    assert f'/factories/IN-016/score/{night.as_of}/"' not in page
    client.force_login(make.user("contact", factory=scored))
    assert client.get("/").content.decode().count(link) == 1


def test_a_run_names_its_policy_by_its_day_and_leads_to_it_who_may_read_it(client, few):
    run = month_of(few)
    link = f'href="/policies/{run.policy_id}/"'
    client.force_login(make.user("manager"))
    page = client.get(f"/runs/{run.pk}/")
    assert "All factories, in force from 1 Jan 2000" in text(page)
    assert link in page.content.decode()
    client.force_login(make.user("contact", factory=few))
    page = client.get(f"/runs/{run.pk}/")
    assert "All factories, in force from 1 Jan 2000" in text(page)
    assert link not in page.content.decode()
