"""What a person sets for oneself."""

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from accounts.models import User

THEMES = {"auto": "", "light": "light", "dark": "dark"}


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Light, dark, or as the device; then back to the page one came from."""
    chosen = request.POST.get("theme", "")
    if chosen not in THEMES:
        return HttpResponseBadRequest("theme is auto, light or dark")
    if request.user.theme != THEMES[chosen]:
        request.user.theme = THEMES[chosen]
        request.user.save(update_fields=["theme"])
    return HttpResponseRedirect(safe_next(request))


def safe_next(request: HttpRequest, otherwise: str = "/") -> str:
    """The page of this site that the form or the address names in `next`."""
    url = request.POST.get("next") or request.GET.get("next", "")
    if url_has_allowed_host_and_scheme(url, {request.get_host()}, request.is_secure()):
        return url
    return otherwise


@login_not_required
def admin_sign_in(request: HttpRequest) -> HttpResponse:
    """The administration has no sign-in of its own: that one would not ask for the second step."""
    if not request.user.is_authenticated:
        return redirect_to_login(safe_next(request, reverse("admin:index")))
    if request.user.role != User.Role.ADMIN:
        raise PermissionDenied
    return HttpResponseRedirect(reverse("admin:index"))
