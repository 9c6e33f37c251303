"""Who may open a page of this floor, and small answers that all its pages give."""

from functools import wraps

from django.core.exceptions import PermissionDenied
from django.http import HttpResponseRedirect


class SeeOther(HttpResponseRedirect):
    """After a POST: look there, with GET."""

    status_code = 303


def _only(allowed):
    def decorate(view):
        @wraps(view)
        def guarded(request, *args, **kwargs):
            if not allowed(request.user):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return guarded

    return decorate


def reads_production(user) -> bool:
    return user.reads_all_factories() or user.role == user.Role.CONTACT


def approves(user) -> bool:
    return user.role in {user.Role.MANAGER, user.Role.ADMIN}


readers_only = _only(reads_production)
order_writers_only = _only(lambda user: user.writes_orders())
inspection_writers_only = _only(lambda user: user.writes_inspections())
approvers_only = _only(approves)
# Who keeps a plan together: those who write orders, and the factory itself.
partners_only = _only(lambda user: user.writes_orders() or user.role == user.Role.CONTACT)


def sees_terms(user) -> bool:
    """Deposit and payment terms: for those who see prices, and for a contact, whose orders are those of the own factory."""
    return user.sees_prices() or user.role == user.Role.CONTACT


def sees_notes(user) -> bool:
    """Internal notes, and who of us wrote what, are for the seller's own people."""
    return user.reads_all_factories()
