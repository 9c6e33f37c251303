"""The dock: find the order line, log what came, correct it."""

import uuid
from decimal import Decimal

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.http import Http404, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from factories.models import Factory
from production import codes
from production.forms.deliveries import YES, CorrectionForm, DeliveryForm, take_back
from production.forms.fields import counts_whole, read_quantity, refuse, write_quantity
from production.judging import standing, standings, with_facts
from production.models import Delivery, LineOutcome, Lot, OrderLine, Product
from production.views.access import SeeOther, order_writers_only
from production.wording import amount, moment, moment_near, place_of, short_day

EXPECTED = 30  # lines in the list to choose from
FIELDS = {"lot_code_unique_in_factory": "lot_code", "delivery_within_calendar": "received_at"}


@require_safe
@order_writers_only
def short_line(request, factory, number, line):
    """The address on a label."""
    line = codes.exact_line(_lines(request), f"{factory}/{number}/{line}").first()
    if line is None:
        raise Http404
    return HttpResponseRedirect(address_of(line))


def address_of(line) -> str:
    return reverse("delivery_new", query={"line": codes.full_code(line)})


@order_writers_only
def delivery_new(request):
    if request.method == "POST":
        return _posted(request)
    if code := request.GET.get("line"):
        line = codes.exact_line(_lines(request), code).first()
        if line is None:
            raise Http404
        where = standing(line)
        return _show(request, line, where, DeliveryForm(**_bare(request, line, where)), typed=line.code)
    text = codes.tidy(request.GET.get("code", ""))
    line, found = _resolve(request, text) if text else (None, [])
    if line is not None:
        return HttpResponseRedirect(address_of(line))
    return _show_choice(request, text, found)


def _posted(request):
    """Find, fill in all that is open, or save: Enter in any field only finds."""
    if earlier := _already_saved(request):
        return SeeOther(earlier.get_absolute_url())
    do, typed = request.POST.get("do", "find"), codes.tidy(request.POST.get("code", ""))
    shown = codes.exact_line(_lines(request), request.POST.get("line", "")).first()
    if pick := request.POST.get("pick"):
        line, found = codes.exact_line(_lines(request), pick).first(), []
    elif shown is not None and (not typed or codes.find_lines(_lines(request), typed).filter(pk=shown.pk).exists()):
        line, found = shown, []
    else:
        line, found = _resolve(request, typed)
    if line is None:
        return _show_choice(request, typed, found, status=422 if do == "save" else 200, posted=request.POST)
    is_what_was_seen = line == shown or (shown is None and _names_exactly(request, typed, line))
    if do == "save" and is_what_was_seen:
        return _save(request, line)
    return _refill(request, line, shown, is_fill=do == "all", was_save=do == "save")


def _lines(request):
    return with_facts(OrderLine.objects.visible_to(request.user))


def _resolve(request, text):
    """(the one line a code names or None, the lines it may mean)."""
    found = list(codes.as_written(_lines(request), text)[: EXPECTED + 1])
    found = found or list(codes.find_lines(_lines(request), text)[: EXPECTED + 1])
    best = [line for line in found if line.rank == 0] or found
    if len(best) == 1:
        return best[0], []
    return None, found or list(_lines(request).filter(_bears(text)).order_by("outcome__due_on", "id")[:EXPECTED])


def _bears(text):
    products, factories = Product.objects.search(text).order_by(), Factory.objects.search(text).order_by()
    return Q(outcome__is_open=True) & (Q(product__in=products.values("pk")) | Q(factory__in=factories.values("pk")))


def _names_exactly(request, text, line) -> bool:
    return codes.find_lines(_lines(request), text).filter(pk=line.pk, rank=0).exists()


def _already_saved(request):
    """The delivery that this very form has saved before, if any."""
    try:
        idem = uuid.UUID(request.POST.get("idem", ""))
    except ValueError:
        return None
    return Delivery.objects.visible_to(request.user).filter(idem=idem).first()


def _bare(request, line, where):
    return {"line": line, "standing": where, "user": request.user, "initial": DeliveryForm.defaults(line, where)}


def _refill(request, line, shown, *, is_fill, was_save):
    """The form of a line with all that was typed; the line's own defaults where the line has changed."""
    where = standing(line)
    initial = DeliveryForm.defaults(line, where)
    typed = {name: value for name, value in request.POST.items() if name in DeliveryForm.base_fields}
    is_other = shown is not None and shown != line
    for own in ["line", "seen"] if shown == line else ["line", "seen", "opened", "received_at", "site"]:
        typed.pop(own, None)
    if shown == line:
        typed["seen"] = request.POST.get("seen", line.version)
    if (is_other and _quantity(typed, shown) == standing(shown).open) or is_fill or not typed.get("quantity"):
        typed["quantity"] = write_quantity(where.open) if where.open else ""
    quantity = _quantity(typed, line)
    if quantity is not None and quantity < where.open:
        typed["more"] = YES
    elif is_fill:
        typed["more"] = initial["more"]
    typed["idem"] = typed.get("idem") or initial["idem"]
    form = DeliveryForm(**_bare(request, line, where) | {"initial": initial | typed})
    errors = []
    if was_save:
        errors = [(_("The code names this line now. Check that it is the right one, then save."), "id_code")]
    return _show(request, line, where, form, typed=line.code, errors=errors, status=422 if was_save else 200)


def _quantity(typed, line) -> Decimal | None:
    try:
        return read_quantity(typed.get("quantity") or "", whole=counts_whole(line.product.unit))
    except ValidationError:
        return None


def _save(request, line):
    try:
        with transaction.atomic():
            line = _lines(request).select_for_update(of=("self",)).get(pk=line.pk)
            if earlier := _already_saved(request):
                return SeeOther(earlier.get_absolute_url())
            where = standing(line)
            form = DeliveryForm(request.POST, **_bare(request, line, where))
            is_good = form.is_valid()
            if form.is_stale:
                return _show_stale(request, line, where)
            if is_good:
                delivery = form.save()
    except IntegrityError as error:
        refuse(form, error, Delivery, Lot, **FIELDS)
        is_good = False
    if not is_good:
        return _show(request, line, where, form, typed=request.POST.get("code") or line.code, status=422)
    _tell(request, delivery)
    if request.POST.get("then") == "another":
        return SeeOther(reverse("delivery_new"))
    return SeeOther(delivery.get_absolute_url())


def _tell(request, delivery):
    line = with_facts(OrderLine.objects.all()).get(pk=delivery.line_id)
    where = standing(line)
    facts = {
        "code": delivery.code, "quantity": amount(delivery.quantity), "ordered": amount(where.ordered),
        "line": line.code, "effect": where.effect,
    }  # fmt: skip
    messages.success(request, _("Saved %(code)s: %(quantity)s of %(ordered)s, %(line)s. %(effect)s") % facts)


def _show_stale(request, line, where):
    """Somebody logged for this line meanwhile: say what, keep what was typed, show the new numbers."""
    newest = max(line.deliveries.all(), key=lambda each: each.pk, default=None)
    told = _("This line has changed since you opened the form. Check the numbers, then save again.")
    if newest is not None:
        told = _(
            "Meanwhile %(who)s logged %(code)s with %(quantity)s on %(at)s; %(rest)s are still expected. "
            "Check the quantity, then save again."
        ) % {
            "who": newest.recorded_by or _("somebody"),
            "code": newest.code,
            "quantity": amount(newest.quantity),
            "at": moment(newest.recorded_at, line.site.time_zone),
            "rest": amount(where.open),
        }
    data = request.POST.copy()
    data["seen"] = str(line.version)
    form = DeliveryForm(**_bare(request, line, where) | {"initial": data.dict()})
    return _show(request, line, where, form, typed=line.code, errors=[(told, "id_quantity")], status=409)


def _show(request, line, where, form, *, typed, errors=(), status=200):
    zone = _chosen_zone(form, line)
    context = {
        "form": form,
        "line": line,
        "standing": where,
        "typed": typed,
        "errors": list(errors),
        "facts": _card(line, where),
        "received": _received(form, zone),
        "zone": place_of(zone),
        "over_shown": form["is_over"].value() or (form.is_bound and form.has_error("quantity")),
        "open": amount(where.open),
        "open_value": write_quantity(where.open) if where.open else "",
        "draft": f"delivery:{request.user.pk}:{codes.full_code(line)}",
        "back": reverse("delivery_new"),
    }
    return render(request, "production/delivery_new.html", context, status=status)


def _chosen_zone(form, line):
    site = form.cleaned_data.get("site") if form.is_bound else None
    return site.time_zone if site else line.site.time_zone


def _received(form, zone):
    """When it came, in words; the time typed where that cannot be read."""
    at = form.moment_shown(zone)
    return moment_near(at, zone) if at else str(form["received_at"].value() or "")


def _card(line, where):
    due = short_day(where.due, where.today) if where.due else None
    facts = {"ordered": amount(where.ordered), "received": amount(where.received), "unit": line.product.unit}
    return {
        "numbers": _("Ordered %(ordered)s %(unit)s · received before %(received)s") % facts,
        "word": f"{_('Due %(day)s') % {'day': due}} · {where.word}" if due and "Due" not in where.word else where.word,
    }


def _show_choice(request, text, found, *, status=200, posted=None):
    """The lines to choose from: those a code may mean, else those that are expected, late ones first."""
    context = {
        "typed": text,
        "nothing": bool(text) and not found,
        "rows": [_choice(line, where) for line, where in standings(found or _expected(request))],
        "is_search": bool(found),
        "kept": [(name, value) for name, value in (posted or {}).items() if name in DeliveryForm.base_fields],
        "errors": [(_("Choose the order line first."), "id_code")] if status == 422 else [],
        "back": reverse("delivery_list"),
    }
    return render(request, "production/delivery_choose.html", context, status=status)


def _expected(request):
    open_first = LineOutcome.objects.visible_to(request.user).filter(is_open=True).order_by("due_on", "line_id")
    ids = list(open_first.values_list("line_id", flat=True)[:EXPECTED])
    lines = _lines(request).in_bulk(ids)
    return [lines[pk] for pk in ids if pk in lines]


def _choice(line, where):
    return {
        "line": line,
        "code": line.code,
        "full_code": codes.full_code(line),
        "url": address_of(line),
        "factory": line.order.factory.name,
        "product": line.product.name,
        "open": amount(where.open),
        "unit": line.product.unit,
        "due": short_day(where.due, where.today) if where.due else "–",
        "status": where.status,
        "word": where.word,
    }


def _typed_anew(request, where):
    """What was typed, with all that is open as the quantity: for the button that fills it in."""
    if request.method != "POST":
        return {}
    return request.POST.dict() | {"quantity": write_quantity(where.open)}


@order_writers_only
def delivery_correct(request, pk):
    """Takes a delivery back and logs it anew, in one step and with a reason."""
    receipts = Delivery.objects.visible_to(request.user).with_line().filter(kind=Delivery.Kind.RECEIPT)
    receipt = get_object_or_404(receipts, pk=pk)
    try:
        with transaction.atomic():
            line = _lines(request).select_for_update(of=("self",)).get(pk=receipt.line_id)
            if earlier := _already_saved(request):
                return SeeOther(earlier.get_absolute_url())
            if receipt.quantity + sum(each.quantity for each in receipt.reversals.all()) <= 0:
                messages.error(request, _("%(code)s has been taken back already.") % {"code": receipt.code})
                return SeeOther(receipt.get_absolute_url())
            where = standing(line, without=receipt)
            initial = CorrectionForm.as_logged(receipt, line, where) | _typed_anew(request, where)
            is_save = request.POST.get("do") == "save"
            data = request.POST if is_save else None
            form = CorrectionForm(data, line=line, standing=where, user=request.user, initial=initial)
            is_good = form.is_valid()
            if is_good:
                reason = form.cleaned_data["correction_reason"]
                take_back(receipt, by=request.user, reason=reason, now=timezone.now())
                delivery = form.save()
    except IntegrityError as error:
        refuse(form, error, Delivery, Lot, **FIELDS)
        is_good = False
    if is_good:
        _tell(request, delivery)
        return SeeOther(delivery.get_absolute_url())
    context = {
        "form": form,
        "delivery": receipt,
        "line": line,
        "standing": where,
        "facts": _card(line, where),
        "zone": place_of(_chosen_zone(form, line)),
        "received": _received(form, _chosen_zone(form, line)),
        "over_shown": form["is_over"].value() or (form.is_bound and form.has_error("quantity")),
        "open": amount(where.open),
        "open_value": write_quantity(where.open) if where.open else "",
        "logged": amount(receipt.quantity),
    }
    return render(request, "production/delivery_correct.html", context, status=422 if form.is_bound else 200)
