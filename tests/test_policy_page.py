"""Policies on the screen: versions, what they changed, and a new one that is checked before it is saved."""

import re
from decimal import Decimal

import pytest

from assessments.forms import PercentField
from assessments.models import Policy
from assessments.views import tried
from assessments.views.entrance import today
from tests import judged, make

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager(client):
    person = make.user("manager", name="Mai Tran")
    client.force_login(person)
    return person


def text(response):
    body = response.content.decode().split("<main", 1)[1].split("<footer")[0]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def typed(client, **changes):
    """What the form holds when it is opened, with some fields typed over."""
    form = client.get("/policies/new/").context["form"]
    return {field.html_name: "" if field.value() is None else str(field.value()) for field in form} | changes


def check_and_save(client, data):
    checked = client.post("/policies/new/", data | {"do": "check"})
    assert checked.status_code == 200, checked.context["form"].errors
    return checked, client.post("/policies/new/", data | {"do": "save", "checked": checked.context["checked"]})


@pytest.mark.parametrize("role", ["buyer", "inspector", "officer", "contact"])
def test_only_managers_and_administrators_see_policies(client, role):
    client.force_login(make.user(role))
    for url in ("/policies/", "/policies/new/", f"/policies/{Policy.objects.first().pk}/"):
        assert client.get(url).status_code == 403
    assert client.post("/policies/new/", {}).status_code == 403


def test_a_change_is_shown_before_it_is_saved(client, manager):
    before = Policy.objects.count()
    data = typed(client, defect_limit="2.5 %", note="After the trial", effective_from=str(today()))
    checked, saved = check_and_save(client, data)
    assert "Defect rate: Ceiling 3% 2.5%" in text(checked)
    assert Policy.objects.count() == before + 1
    policy = Policy.objects.latest("pk")
    assert saved["Location"] == f"/policies/{policy.pk}/"
    assert (policy.defect_limit, policy.created_by, policy.effective_from) == (Decimal("0.025"), manager, today())


def test_checking_alone_saves_nothing(client, manager):
    before = Policy.objects.count()
    client.post("/policies/new/", typed(client, defect_limit="2") | {"do": "check"})
    assert Policy.objects.count() == before


def test_values_changed_after_the_check_are_checked_again(client, manager):
    data = typed(client, defect_limit="2.5")
    checked = client.post("/policies/new/", data | {"do": "check"}).context["checked"]
    before = Policy.objects.count()
    page = client.post("/policies/new/", data | {"defect_limit": "2", "do": "save", "checked": checked})
    assert "The values changed since the last check" in text(page)
    assert "Ceiling 3% 2%" in text(page)
    assert Policy.objects.count() == before


def test_the_check_says_which_factories_would_have_had_another_grade(client, manager):
    judged.factory("VN-014", name="Hoa Binh Garment", late=6)
    judged.judge()
    data = typed(client, otif_floor="40", otif_zero="20", otif_target="50")
    page = client.post("/policies/new/", data | {"do": "check"})
    assert "1 factory of 1 would have had another grade" in text(page)
    assert "Hoa Binh Garment" in text(page)


def test_the_check_shows_every_month_of_every_factory_that_changes(client, manager):
    for number in range(12):
        judged.factory(f"VN-0{number + 20}", name=f"Factory of rank {number}", late=6)
    judged.factory("VN-099", name="Always punctual")
    judged.judge()
    page = client.post(
        "/policies/new/", typed(client, otif_floor="40", otif_zero="20", otif_target="50") | {"do": "check"}
    )
    said = text(page)
    assert "12 factories of 13 would have had another grade" in said
    assert "2 more factories" in said
    rows = page.context["tried"]["rows"] + page.context["tried"]["more"]
    assert {row["factory"].code for row in rows} == {f"VN-0{number + 20}" for number in range(12)}
    assert {len(row["cells"]) for row in rows} == {12}
    body = page.content.decode()
    assert body.count("becomes better:") == len(rows) * sum("becomes" in cell for cell in rows[0]["cells"]) > 0
    assert 'role="img"' in body


def test_the_check_counts_breaches_opened_and_closed_on_both_sides(client, manager):
    judged.factory("VN-014", lines=20, late=16)
    judged.judge()
    page = client.post(
        "/policies/new/", typed(client, otif_floor="5", otif_zero="1", otif_target="10") | {"do": "check"}
    )
    (now, *counts), (then, *others) = page.context["tried"]["sides"]
    assert f"{now} {' '.join(counts)} {then} {' '.join(others)}" in text(page)
    assert int(counts[0]) == 1
    assert others == ["0", "0"]


def test_a_grade_is_neither_better_nor_worse_than_none():
    assert tried.direction("good", "excellent") == "better"
    assert tried.direction("good", "failing") == "worse"
    assert tried.direction("good", "not_rated") == tried.direction("not_rated", "good") == "other"


def test_a_version_never_begins_in_the_past(client, manager):
    page = client.post("/policies/new/", typed(client, effective_from="2020-01-01", defect_limit="2"))
    assert page.status_code == 422
    assert "A version cannot begin in the past" in text(page)


def test_two_versions_of_one_scope_never_begin_on_the_same_day(client, manager):
    check_and_save(client, typed(client, defect_limit="2.5"))
    page = client.post("/policies/new/", typed(client, defect_limit="2"))
    assert page.status_code == 422
    assert "There is already a version for this scope from that day." in text(page)


def test_limits_in_the_wrong_order_are_explained(client, manager):
    page = client.post("/policies/new/", typed(client, otif_floor="99", loss_zero="2"))
    assert page.status_code == 422
    assert "On time in full: the floor 99% must not be above the target 98%." in text(page)
    assert "Material loss: no points from 2% must be above the limit 3%." in text(page)


def test_bands_that_do_not_rise_are_explained(client, manager):
    page = client.post("/policies/new/", typed(client, good_from="95"))
    assert page.status_code == 422
    assert "Bands must rise" in text(page)


@pytest.mark.parametrize("said", ["3", "3.0", "3 %", "3,0%", " 3.00 % ", "３"])
def test_a_percentage_may_be_typed_as_people_type_it(said):
    assert PercentField().clean(said) == Decimal("0.03")


@pytest.mark.parametrize("said", ["3oo", "-1", "101", "1,000", "nan", "1e400", "0.00001", "3 3 %%x"])
def test_what_is_no_percentage_is_refused_with_the_reason(client, manager, said):
    page = client.post("/policies/new/", typed(client, defect_limit=said))
    assert page.status_code == 422
    assert page.context["form"].errors["defect_limit"]
    assert said in page.content.decode()


def test_a_version_for_one_category_starts_from_what_applied_to_it(client, manager):
    toys = make.category(name="Toys")
    checked, _saved = check_and_save(client, typed(client, category=str(toys.pk), defect_limit="1.5"))
    assert "compared with All factories" in text(checked)
    page = text(client.get("/policies/"))
    assert "Toys" in page
    assert "All factories" in page


def test_the_list_marks_what_is_in_force_and_what_is_to_come(client, manager):
    later = today().replace(year=today().year + 1)
    check_and_save(client, typed(client, defect_limit="2.5"))
    check_and_save(client, typed(client, defect_limit="2", effective_from=str(later)))
    rows = client.get("/policies/").context["groups"][0]["rows"]
    assert [row["status"] for row in rows] == ["info", "ok", "none"]


def test_a_version_shows_what_it_changed_from_the_one_before(client, manager):
    check_and_save(client, typed(client, defect_limit="2.5"))
    page = text(client.get(f"/policies/{Policy.objects.latest('pk').pk}/"))
    assert "What it changed" in page
    assert "Defect rate: Ceiling 3% 2.5%" in page


def test_a_new_version_may_start_from_any_other(client, manager):
    toys = make.category(name="Toys")
    old = Policy.objects.create(category=toys, effective_from="2099-01-01", defect_limit="0.015", defect_zero="0.03")
    form = client.get(f"/policies/new/?from={old.pk}").context["form"]
    assert form["category"].value() == toys.pk
    assert form["defect_limit"].value() in (Decimal("0.015"), "1.5")
    for odd in ("x", "999999", "9" * 30):
        assert client.get(f"/policies/new/?from={odd}").status_code == 200


def test_the_list_of_policies_names_the_wider_ceiling_of_soft_goods(client, manager):
    assert "defects 3% (soft goods 5%), on time 90%, loss 3%" in text(client.get("/policies/"))
