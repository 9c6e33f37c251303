"""What a person sets for oneself."""

from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

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
    """The page of this site that the form names in `next`."""
    url = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(url, {request.get_host()}, request.is_secure()):
        return url
    return otherwise
