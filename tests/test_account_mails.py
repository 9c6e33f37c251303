"""The mails about one's own account: who they say they are from."""

import pytest

from tests import make

pytestmark = pytest.mark.django_db


def test_mail_to_set_a_new_password_bears_our_name_and_no_host(client, mailoutbox, settings):
    settings.SITE_URL = "https://plumbline.example.com"
    make.user(email="mai@example.com")
    client.post("/account/password/reset/", {"email": "mai@example.com"})
    (mail,) = mailoutbox
    assert mail.subject == "[Plumbline] Password Reset Email"
    assert mail.body.startswith("Hello from Plumbline!")
    assert "Thank you for using Plumbline!\nhttps://plumbline.example.com" in mail.body
    assert "Hello from testserver" not in mail.body
