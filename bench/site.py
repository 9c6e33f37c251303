"""What gunicorn serves while pages are measured: the product on the last day of the invented seller, or one bare page.

The bare page is Django with one template and no database, session, middleware or context processor: the least that a page
rendered by Django can cost.
"""

import datetime
import os

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

TEMPLATE = "<!doctype html><title>{{ title }}</title><h1>{{ title }}</h1><ul>{% for word in words %}<li>{{ word }}</li>{% endfor %}</ul>"


def bare_page(request: HttpRequest) -> HttpResponse:
    return render(request, "bare.html", {"title": "Bare", "words": ["one", "two", "three", "four", "five"]})


urlpatterns = [path("", bare_page)]


def bare():
    """The WSGI application of the bare page."""
    loaders = [
        ("django.template.loaders.cached.Loader", [("django.template.loaders.locmem.Loader", {"bare.html": TEMPLATE})])
    ]
    settings.configure(
        SECRET_KEY="of a page that keeps nothing",
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF="bench.site",
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "OPTIONS": {"loaders": loaders}}],
    )
    django.setup(set_prefix=False)
    return get_wsgi_application()


def product():
    """The WSGI application of the product, at noon of the day in BENCH_TODAY."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    application = get_wsgi_application()
    from django.utils import timezone  # noqa: PLC0415  only this application has a clock to set

    noon = datetime.datetime.combine(
        datetime.date.fromisoformat(os.environ["BENCH_TODAY"]), datetime.time(12), datetime.UTC
    )
    timezone.now = lambda: noon
    return application
