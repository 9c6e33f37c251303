"""Order lines that wait for goods: the rows behind the counts of the start pages."""

from django.core.paginator import Paginator
from django.db.models import Exists, OuterRef
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from production import unknown
from production.filters import PAGE_SIZE, addressed
from production.forms.orders import today
from production.judging import today_at
from production.models import LineOutcome, OrderLine, Site
from production.views.access import readers_only
from production.views.orders import url_of
from production.wording import amount, day, days_late

STATES = {"late": gettext_lazy("Late"), "soon": gettext_lazy("Due in 7 days"), "due": gettext_lazy("Due by today")}


@require_safe
@readers_only
def line_list(request):
    """Which order lines wait for goods: the late ones, those due soon, or all that are due by today."""
    state = unknown.chosen(request, STATES, "late")
    waiting = waiting_lines(LineOutcome.objects.visible_to(request.user), state)
    site = _site(request)
    if site is None and request.GET.get("site"):
        unknown.say(request, "site")
    if site:
        waiting = waiting.filter(line__site=site)
    keys = waiting.order_by("limit_on", "line_id").values_list("line_id", flat=True)
    page = Paginator(keys, PAGE_SIZE).get_page(request.GET.get("page"))
    shown = LineOutcome.objects.select_related("line__order__factory", "line__product", "line__site")
    found = shown.in_bulk(list(page.object_list))
    context = {
        "rows": [_row(found[key]) for key in page.object_list if key in found],
        "total": page.paginator.count,
        "site": site,
        "chips": [
            {"label": label, "url": addressed(request.GET, state=name, page=None), "is_chosen": name == state}
            for name, label in STATES.items()
        ],
        "every_site_url": addressed(request.GET, site=None, page=None),
        "prev_url": addressed(request.GET, page=page.previous_page_number()) if page.has_previous() else None,
        "next_url": addressed(request.GET, page=page.next_page_number()) if page.has_next() else None,
    }
    return render(request, "production/line_list.html", context)


def _site(request):
    """The site of the query string; a factory contact may name those of its own orders."""
    sites = Site.objects.filter(code=request.GET.get("site", "").replace("\0", ""))
    if not request.user.reads_all_factories():
        own = OrderLine.objects.visible_to(request.user)
        sites = sites.filter(Exists(own.filter(site=OuterRef("pk"))))
    return sites.first()


def waiting_lines(outcomes, state):
    """Of the outcomes those that wait for goods and are `late`, `soon` due, or `due` by today."""
    if state == "late":
        return outcomes.late()
    # A line that is cancelled in time is never open.
    return outcomes.due_within(7) if state == "soon" else outcomes.open().filter(due_on__lte=today())


def _row(outcome):
    line = outcome.line
    there = today_at(line)
    left = (there - outcome.due_on).days if outcome.due_on else 0
    is_late = outcome.limit_on is not None and outcome.limit_on < there
    return {
        "code": line.code,
        "url": url_of(line.order),
        "factory": line.order.factory.name,
        "product": line.product.name,
        "site": line.site.name,
        "left": f"{amount(max(outcome.qty_due - outcome.qty_received, 0))} {line.product.unit}",
        "due": day(outcome.due_on) if outcome.due_on else "–",
        "status": "breach" if is_late else "watch" if left > 0 else "info",
        "word": days_late(left) if is_late else _("In grace") if left > 0 else _("Waiting"),
    }
