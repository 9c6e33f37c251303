"""Who may come in, what day it is, and whose names are read: what the views of this floor share."""

import datetime
from collections.abc import Callable
from functools import wraps
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from factories.models import Factory

BUSINESS = "manager buyer inspector admin contact"
STAFF = "manager buyer admin"
POLICY = "manager admin"


def open_to(roles: str) -> Callable:
    """A view for the named roles; every other one gets 403."""
    allowed = set(roles.split())

    def decorate(view: Callable) -> Callable:
        @wraps(view)
        def guarded(request: HttpRequest, *args, **kwargs) -> HttpResponse:
            if request.user.role not in allowed:
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return guarded

    return decorate


def today() -> datetime.date:
    """The business day in the organisation's time zone."""
    return timezone.localdate(timezone=ZoneInfo(settings.ORGANISATION_TIME_ZONE))


def factory_or_404(user: User, code: str, **annotations: Any) -> Factory:
    """The factory with that code, or 404 whether it does not exist or is not for this person."""
    factories = Factory.objects.visible_to(user).select_related("category", "calendar", "standing")
    return get_object_or_404(factories.annotate(**annotations), code__iexact=code)


def sees_money(user: User) -> bool:
    """Amounts of money: for those who see prices, and for a contact, whose pages hold the own factory only."""
    return user.sees_prices() or user.role == User.Role.CONTACT


def who(person: User, reader: User) -> str:
    """Who made a step; a factory contact reads only the names of its own side."""
    ours = person.role != User.Role.CONTACT
    return _("the seller") if ours and reader.role == User.Role.CONTACT else str(person)
