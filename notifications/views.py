"""The messages to me, and whether the system is well."""

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError
from django.http import JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from notifications.health import JOBS, current_findings
from notifications.models import Message

PAGE = 50


@require_safe
def my_notifications(request):
    messages = Message.objects.visible_to(request.user).newest_first()
    before = request.GET.get("before", "")
    # Longer numbers than the database's are nobody's link.
    if before.isascii() and before.isdigit() and len(before) < 19:
        messages = messages.older_than(int(before))
    else:
        before = ""
    page = list(messages[: PAGE + 1])
    here = reverse("my_notifications")
    context = {
        "page": page[:PAGE],
        "older_url": f"{here}?before={page[PAGE - 1].pk}" if len(page) > PAGE else None,
        "newest_url": here if before else None,
    }
    return render(request, "notifications/mine.html", context)


@require_safe
@never_cache
@login_not_required
def healthz(request):
    """For a monitor: well or not, and which check. No number, name or date of ours."""
    checks = dict.fromkeys(["database", "outbox", *JOBS], "ok")
    try:
        for finding in current_findings():
            checks[finding.check] = "failing"
    except DatabaseError:
        checks = {"database": "failing"}
    well = set(checks.values()) == {"ok"}
    return JsonResponse({"status": "ok" if well else "failing", "checks": checks}, status=200 if well else 503)
