"""Every page asks for a sign-in, unless its view says otherwise."""

from django.contrib.auth.middleware import LoginRequiredMiddleware


class SignedInMiddleware(LoginRequiredMiddleware):
    """Also keeps pages with business data out of shared caches."""

    OPEN_PREFIXES = ("allauth.", "django.views.static")

    def process_view(self, request, view_func, view_args, view_kwargs):
        if view_func.__module__.startswith(self.OPEN_PREFIXES):
            return None
        return super().process_view(request, view_func, view_args, view_kwargs)

    def __call__(self, request):
        response = super().__call__(request)
        if getattr(request, "user", None) is not None and request.user.is_authenticated:
            response.headers.setdefault("Cache-Control", "no-store, private")
        return response
