"""How django-allauth behaves in this house: nobody signs up, secrets are stored encrypted."""

import base64
import hashlib
from dataclasses import dataclass

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from cryptography.fernet import Fernet
from django.conf import settings


@dataclass(frozen=True)
class House:
    """How our mails name us: by our name, and by the address that people know."""

    domain: str
    name: str = "Plumbline"


class ClosedSignUpAdapter(DefaultAccountAdapter):
    def is_open_for_signup(self, request):
        return False

    def send_mail(self, template_prefix, email, context):
        """Without this the mails would bear the host of the request as our name."""
        super().send_mail(template_prefix, email, {**context, "current_site": House(settings.SITE_URL)})


def _fernet() -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(b"mfa|" + settings.SECRET_KEY.encode()).digest()))


class EncryptedSecretsAdapter(DefaultMFAAdapter):
    """allauth stores second-factor secrets in clear unless these two are given."""

    def encrypt(self, text: str) -> str:
        return _fernet().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return _fernet().decrypt(encrypted_text.encode()).decode()
