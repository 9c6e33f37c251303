"""Every page asks for a sign-in, unless its view says otherwise."""

from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import Http404


class SignedInMiddleware(LoginRequiredMiddleware):
    """Also keeps pages with business data out of shared caches."""

    OPEN_PREFIXES = ("allauth.", "django.views.static")

    def process_view(self, request, view_func, view_args, view_kwargs):
        if any("\0" in str(value) for value in view_kwargs.values()):
            raise Http404  # no text in the database holds a NUL, and PostgreSQL refuses to look for one
        if view_func.__module__.startswith(self.OPEN_PREFIXES):
            return None
        return super().process_view(request, view_func, view_args, view_kwargs)

    def __call__(self, request):
        response = super().__call__(request)
        if getattr(request, "user", None) is not None and request.user.is_authenticated:
            response.headers.setdefault("Cache-Control", "no-store, private")
        return response
