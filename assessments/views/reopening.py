"""Opening a closed order again: by managers, with a reason."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from assessments import reopening
from assessments.figures import day
from assessments.forms import ReopenForm
from assessments.views.entrance import POLICY, open_to, today
from production.errors import BadInput
from production.models import PurchaseOrder


@require_http_methods(["GET", "HEAD", "POST"])
@open_to(POLICY)
def order_reopen(request: HttpRequest, factory: str, number: str) -> HttpResponse:
    """The order takes lines, deliveries and material again, and is reconciled anew when it is closed."""
    orders = PurchaseOrder.objects.visible_to(request.user).select_related("factory")
    order = get_object_or_404(orders, factory__code=factory, number=number)
    back = order.get_absolute_url()
    if order.closed_on is None:
        messages.info(request, _("The order is open."))
        return HttpResponseRedirect(back)
    form = ReopenForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            reopening.reopen(order, request.user, form.cleaned_data["reason"], today())
        except BadInput as problem:
            form.add_error("reason", problem.message)
        else:
            messages.success(request, _("The order is open again. Its material is reconciled anew when it is closed."))
            return HttpResponseRedirect(back)
    claim = reopening.in_the_way(order)
    form.is_refused = claim is not None
    told = _("Its material is no longer reconciled and leaves the figures of %(day)s until the order is closed again. "
             "Claims that are still drafts are waived.") % {"day": day(order.closed_on)}  # fmt: skip
    context = {
        "title": _("Open %(number)s again") % {"number": order.number},
        "button": _("Open the order again"),
        "form": form,
        "told": reopening.why_not(claim) if claim else told,
        "is_danger": True,
        "back": back,
        "trail": [(_("Orders"), reverse("order_list")), (order.number, back)],
    }
    return render(request, "production/confirm.html", context, status=422 if form.errors else 200)
