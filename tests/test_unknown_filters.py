"""A value in an address that is no choice filters nothing, and the page says so in one line above the list."""

import html
import re

import pytest

from tests import judged, make

pytestmark = pytest.mark.django_db


@pytest.fixture
def factory():
    made = judged.factory("VN-014", name="Hoa Binh Garment", late=5, defective=2)
    judged.judge(months=1)
    return made


def notes(client, address):
    page = client.get(address)
    assert page.status_code == 200, address
    found = re.findall(r'<li class="note ">\s*<div>(.*?)</div></li>', page.content.decode())
    return [html.unescape(each) for each in found]


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("/factories/?grade=zzz", "No grade is called zzz; all are shown."),
        ("/factories/?status=zzz", "No state is called zzz; all are shown."),
        ("/factories/?country=ZZ", "No country is called ZZ; all are shown."),
        ("/factories/?category=zzz", "No category is called zzz; all are shown."),
        ("/compare/?category=zzz", "No category is called zzz; all are shown."),
        ("/compare/?m=zzz", "No measure is called zzz; “On time in full” is shown."),
        ("/breaches/?state=zzz", "No state is called zzz; “Open” is shown."),
        ("/actions/?state=zzz", "No state is called zzz; “Open” is shown."),
        ("/disputes/?state=zzz", "No state is called zzz; “Open” is shown."),
        ("/exclusions/?state=zzz", "No state is called zzz; all are shown."),
        ("/claims/?state=zzz", "No state is called zzz; “Open” is shown."),
        ("/claims/?factory=XX-9", "No factory is called XX-9; all are shown."),
        ("/claims/unclaimed/?currency=zz", "No currency is called zz; all are shown."),
        ("/orders/?state=zzz", "No state is called zzz; “Open” is shown."),
        ("/orders/?factory=XX-9", "No factory is called XX-9; all are shown."),
        ("/orders/lines/?state=zzz", "No state is called zzz; “Late” is shown."),
        ("/orders/lines/?site=zzz", "No site is called zzz; all are shown."),
        ("/deliveries/?site=zzz", "No site is called zzz; all are shown."),
        ("/deliveries/?timing=zzz", "No timing is called zzz; all are shown."),
        ("/inspections/?verdict=zzz", "No verdict is called zzz; all are shown."),
        ("/factories/VN-014/rows/otif/?counted=zzz", "No part is called zzz; all are shown."),
    ],
)
def test_a_value_that_is_no_choice_is_named_above_the_list(client, factory, address, said):
    client.force_login(make.user("manager"))
    for _ in range(2):  # a page that is kept says it again, and a note is not carried to another page
        assert notes(client, address) == [said]
    path = address.partition("?")[0]
    assert notes(client, path) == []
    name = address.partition("?")[2].partition("=")[0]
    assert notes(client, f"{path}?{name}=") == []


def test_a_known_value_is_not_spoken_of_and_a_file_holds_nothing_back_for_the_next_page(client, factory):
    client.force_login(make.user("manager"))
    assert notes(client, "/factories/?grade=failing") == []
    assert notes(client, "/claims/?state=made&factory=") == []
    assert client.get("/exclusions/?state=zzz&format=csv").status_code == 200
    assert notes(client, "/exclusions/") == []


def test_what_was_typed_is_shown_as_text_and_cut(client, factory):
    client.force_login(make.user("manager"))
    page = client.get("/factories/?grade=%3Cb%3E" + "x" * 500).content.decode()
    assert f"No grade is called &lt;b&gt;{'x' * 37}; all are shown." in page


def test_a_factory_of_others_is_as_unknown_to_a_contact_as_one_that_does_not_exist(client, factory):
    other = make.factory(code="CN-002", name="Silent Works")
    client.force_login(make.user("contact", factory=other))
    assert notes(client, "/orders/?factory=VN-014") == ["No factory is called VN-014; all are shown."]
    assert notes(client, "/orders/?factory=XX-9") == ["No factory is called XX-9; all are shown."]
