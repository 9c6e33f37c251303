"""A pill drawn in Python: the include of a template is too slow in a table of fifty rows."""

from django import template
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import get_language

register = template.Library()
drawn: dict[tuple[str | None, str], SafeString] = {}  # few words in few languages: each is drawn once per process


@register.simple_tag
def pill(status: str) -> SafeString:
    """The usual pill of a status or grade."""
    key = (get_language(), status)
    if key not in drawn:
        drawn[key] = render_to_string("components/pill.html", {"status": status})
    return drawn[key]


def word_pill(status: str, text: str) -> SafeString:
    """A pill with a word of its own; for the few words a table repeats, not for text that people typed."""
    key = (get_language(), f"{status}:{text}")
    if key not in drawn:
        drawn[key] = render_to_string("components/pill.html", {"status": status, "text": text})
    return drawn[key]
