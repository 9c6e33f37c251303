"""The administration lets people and factories in: who signs in, in which role, and which factory a contact sees."""

import re

import pytest

from accounts.models import User
from factories.models import Category, Factory, Membership
from tests import make

pytestmark = pytest.mark.django_db
PEOPLE, FACTORIES = "/admin-area/accounts/user/", "/admin-area/factories/factory/"
NOBODY = {
    "memberships-TOTAL_FORMS": 0, "memberships-INITIAL_FORMS": 0, "contacts-TOTAL_FORMS": 0, "contacts-INITIAL_FORMS": 0,
}  # fmt: skip


@pytest.fixture
def admin(client):
    person = make.user("admin")
    client.force_login(person)
    return person


def person(**values):
    values = {"email": "bao@example.com", "name": "Bao", "role": "buyer", "time_zone": "Asia/Ho_Chi_Minh", **values}
    return values | {"is_active": "on"}


def test_a_new_person_sets_the_password_by_mail_and_signs_in(client, admin, mailoutbox):
    assert client.post(f"{PEOPLE}add/", person()).status_code == 302
    added = User.objects.get(email="bao@example.com")
    assert (added.role, added.has_usable_password()) == (User.Role.BUYER, False)
    client.logout()
    client.post("/account/password/reset/", {"email": "bao@example.com"})
    (mail,) = mailoutbox
    link = re.search(r"/account/password/reset/key/\S+", mail.body).group()
    form = client.get(link, follow=True)
    words = {"password1": "linen-hinge-copper-rain", "password2": "linen-hinge-copper-rain"}
    assert client.post(form.request["PATH_INFO"], words).status_code == 302
    answer = client.post("/account/login/", {"login": "bao@example.com", "password": words["password1"]})
    assert answer.status_code == 302
    assert client.get("/orders/new/").status_code == 200


def test_a_person_with_an_unknown_time_zone_or_a_taken_address_is_refused(client, admin):
    make.user(email="mai@example.com")
    answer = client.post(f"{PEOPLE}add/", person(time_zone="Mars/Base"))
    assert "is not a time zone" in answer.content.decode()
    answer = client.post(f"{PEOPLE}add/", person(email="MAI@example.com"))
    assert "Somebody already uses this e-mail." in answer.content.decode()
    assert not User.objects.filter(email__in=["bao@example.com", "MAI@example.com"]).exists()


def test_a_person_is_switched_off_and_never_deleted(client, admin):
    buyer = make.user()
    page = f"{PEOPLE}{buyer.pk}/"
    assert client.post(f"{page}delete/", {"post": "yes"}).status_code == 403
    values = person(email=buyer.email)
    del values["is_active"]
    assert client.post(f"{page}change/", values).status_code == 302
    buyer.refresh_from_db()
    assert not buyer.is_active


def test_nobody_takes_the_administration_from_oneself(client, admin):
    values = person(email=admin.email, role="buyer")
    del values["is_active"]
    assert client.post(f"{PEOPLE}{admin.pk}/change/", values).status_code == 302
    admin.refresh_from_db()
    assert (admin.role, admin.is_active, admin.name) == (User.Role.ADMIN, True, "Bao")


def test_a_contact_sees_the_factory_that_it_was_added_to(client, admin):
    category = Category.objects.create(code="knitwear", name="Knitwear")
    contact, ours = make.user("contact"), make.user("buyer")
    factory = {
        "code": "VN-901", "name": "Dong Xanh", "country": "VN", "time_zone": "Asia/Ho_Chi_Minh", "category": category.pk,
        "status": "active", **NOBODY, "memberships-TOTAL_FORMS": 1,
    }  # fmt: skip
    refused = client.post(f"{FACTORIES}add/", factory | {"memberships-0-user": ours.pk})
    assert refused.status_code == 200
    assert not Factory.objects.exists()
    assert client.post(f"{FACTORIES}add/", factory | {"memberships-0-user": contact.pk}).status_code == 302
    added = Factory.objects.get()
    assert Membership.objects.get().factory == added
    assert client.post(f"{FACTORIES}{added.pk}/delete/", {"post": "yes"}).status_code == 403
    client.force_login(contact)
    assert client.get("/factories/VN-901/").status_code == 200
    client.force_login(make.user("contact"))
    assert client.get("/factories/VN-901/").status_code == 404


@pytest.mark.parametrize(
    "page", [PEOPLE, f"{PEOPLE}add/", FACTORIES, f"{FACTORIES}add/", "/admin-area/factories/category/"]
)
def test_only_administrators_enter(client, page):
    for role in ("manager", "buyer", "inspector", "officer", "contact"):
        client.force_login(make.user(role))
        assert client.get(page, follow=True).status_code == 403
    client.force_login(make.user("admin"))
    assert client.get(page).status_code == 200
