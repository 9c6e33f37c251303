"""A page as PDF. WeasyPrint is loaded only when somebody asks: it needs the Pango library of the system."""

from functools import cache
from importlib import import_module
from typing import Any


class NoPango(RuntimeError):
    """The system library that draws text is missing."""


@cache
def _weasyprint() -> Any:
    try:
        return import_module("weasyprint")
    except OSError as problem:
        raise NoPango("PDF needs Pango; on Debian: apt-get install libpangoft2-1.0-0 libharfbuzz-subset0") from problem


def _nothing(url: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
    raise ValueError(f"A printed page loads nothing, not {url}.")


def of(html: str) -> bytes:
    """The PDF of a whole HTML document that carries its own style; nothing is fetched from anywhere."""
    return _weasyprint().HTML(string=html, url_fetcher=_nothing).write_pdf()
