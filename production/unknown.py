"""What a list says of a value in its address that is no choice: it filters nothing, and that is said above the list."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

LONGEST = 40
# What the values of a parameter are called in a sentence.
NAMES = {
    "grade": gettext_lazy("grade"), "status": gettext_lazy("state"), "state": gettext_lazy("state"),
    "country": gettext_lazy("country"), "category": gettext_lazy("category"), "factory": gettext_lazy("factory"),
    "currency": gettext_lazy("currency"), "site": gettext_lazy("site"), "timing": gettext_lazy("timing"),
    "verdict": gettext_lazy("verdict"), "m": gettext_lazy("measure"), "counted": gettext_lazy("part"),
}  # fmt: skip


def say(request: HttpRequest, name: str, shown: Any = "") -> None:
    """Says that the value of `name` is not known, and what is `shown` instead: all, where nothing is named."""
    values = {"what": NAMES[name], "value": request.GET[name].replace("\0", "")[:LONGEST], "shown": shown}
    if shown:
        words = _("No %(what)s is called %(value)s; “%(shown)s” is shown.") % values
    else:
        words = _("No %(what)s is called %(value)s; all are shown.") % values
    if "format" not in request.GET:  # a file has no place for it
        messages.info(request, words, fail_silently=True)


def say_of(request: HttpRequest, form: forms.Form, **shown: Any) -> None:
    """Says it of each field of a filter whose value is no choice; `shown` names what a field shows instead."""
    for name in form.errors:
        if name in NAMES and request.GET.get(name):
            say(request, name, shown.get(name, ""))


def chosen(request: HttpRequest, states: Mapping[str, Any], default: str, name: str = "state") -> str:
    """Which of the `states` (name -> word) the address asks for; the default where it asks for none, or for no such one."""
    asked = request.GET.get(name) or default
    if asked in states:
        return asked
    say(request, name, "" if default == "all" else states[default])
    return default
