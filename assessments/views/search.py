"""Finding a thing by its code: one hit opens it, several are listed."""

import re
import unicodedata
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from accounts.models import User
from assessments.models import Breach
from factories.models import Factory
from production.models import Delivery, Inspection, Lot, OrderLine, Product, PurchaseOrder

MOST = 20
CODED = {"D": Delivery, "I": Inspection, "B": Breach}


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """Orders, factories, products, lots, and D-, I- and B- codes, as far as this person may see them."""
    if request.user.role == User.Role.OFFICER:
        raise PermissionDenied
    text = cleaned(request.GET.get("q", ""))
    if not text:
        return render(request, "assessments/search.html", {"q": ""})
    found = by_code(request.user, text) or exact(request.user, text)
    if found:
        return HttpResponseRedirect(found)
    return render(request, "assessments/search.html", {"q": text, **nearby(request.user, text)})


def cleaned(text: str) -> str:
    """As typed, pasted or scanned: full-width letters folded, control characters and blanks at the ends gone."""
    folded = unicodedata.normalize("NFKC", text)
    return "".join(c for c in folded if c.isprintable()).strip()[:80]


def by_code(user: User, text: str) -> str | None:
    """The page of D-8812, I-42 or B-311, if this person may see it."""
    match = re.fullmatch(r"([DIB])[- ]?(\d{1,18})", text.upper())
    if not match:
        return None
    found = CODED[match[1]].objects.visible_to(user).filter(pk=int(match[2])).first()
    return found.get_absolute_url() if found else None


def exact(user: User, text: str) -> str | None:
    """The page of the only factory, order or lot with exactly that code."""
    factory = Factory.objects.visible_to(user).filter(code__iexact=text).first()
    if factory:
        return reverse("factory_detail", args=[factory.code])
    orders = list(orders_of(user).filter(number__iexact=text)[:2])
    if len(orders) == 1:
        return orders[0].get_absolute_url()
    lots = list(Lot.objects.visible_to(user).filter(code__iexact=text).select_related("line__order__factory")[:2])
    if len(lots) == 1 and not orders:
        return lots[0].line.order.get_absolute_url()
    return None


def orders_of(user: User) -> QuerySet[PurchaseOrder]:
    return PurchaseOrder.objects.visible_to(user).select_related("factory")


def products_of(user: User) -> QuerySet[Product]:
    """What was ordered in an order that this person sees."""
    return Product.objects.filter(Exists(OrderLine.objects.visible_to(user).filter(product=OuterRef("pk"))))


def nearby(user: User, text: str) -> dict[str, Any]:
    """What contains the text."""
    lots = (
        Lot.objects.visible_to(user)
        .filter(code__icontains=text)
        .select_related("line__order__factory")
        .order_by("code")
    )
    return {
        "factories": list(Factory.objects.visible_to(user).search(text).order_by("code")[:MOST]),
        "orders": list(orders_of(user).filter(number__icontains=text).order_by("-pk")[:MOST]),
        "products": list(products_of(user).search(text).order_by("code")[:MOST]),
        "lots": list(lots[:MOST]),
        "most": MOST,
    }
