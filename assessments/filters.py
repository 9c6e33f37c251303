"""What a list may be narrowed and sorted by: its query string, nothing else."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from assessments.models import Grade
from assessments.scorecards import GRADES_WORST_FIRST, STATES_WORST_FIRST, Standing
from factories.widgets import LongSelect

STATES = [("breach", _("Breach")), ("watch", _("Watch")), ("ok", _("On target")), ("no_data", _("Too few data"))]


class FactoryFilter(forms.Form):
    q = forms.CharField(label=_("Name or code"), required=False, max_length=80)
    grade = forms.ChoiceField(
        label=_("Grade"), required=False, choices=[("", _("Every grade")), *Grade.choices], widget=LongSelect
    )
    status = forms.ChoiceField(
        label=_("Now"), required=False, choices=[("", _("Every state")), *STATES], widget=LongSelect
    )
    country = forms.ChoiceField(label=_("Country"), required=False, widget=LongSelect)
    category = forms.ChoiceField(label=_("Category"), required=False, widget=LongSelect)

    def __init__(self, data: QueryDict, countries: Sequence[tuple], categories: Sequence[tuple]):
        super().__init__(data)
        self.fields["country"].choices = [("", _("Every country")), *countries]
        self.fields["category"].choices = [("", _("Every category")), *categories]

    @property
    def chosen(self) -> dict[str, str]:
        """What is set, without what is not among the choices."""
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}


def _none_last(value: Any, reverse: bool) -> tuple:
    """A sort key that puts unknown values last in both directions."""
    return (value is None) != reverse, value if value is not None else 0


def worst_first(standing: Standing) -> tuple:
    """By the worse of the published grade and the one the numbers point to now, then by score."""
    grade = GRADES_WORST_FIRST.index(standing.grade)
    projected = standing.projected if standing.projected in GRADES_WORST_FIRST else "not_rated"
    rank = min(grade, GRADES_WORST_FIRST.index(projected))
    state = STATES_WORST_FIRST.index(standing.status)
    score = standing.score if standing.score is not None else 101
    return rank, state, score, -standing.open_breaches, standing.factory.code


SORTS: dict[str, Callable[[Standing], Any]] = {
    "name": lambda s: s.factory.name.casefold(),
    "grade": lambda s: GRADES_WORST_FIRST.index(s.grade),
    "status": lambda s: STATES_WORST_FIRST.index(s.status),
    "score": lambda s: s.score,
    "otif": lambda s: s.rate("otif"),
    "defect": lambda s: s.rate("defect"),
    "loss": lambda s: s.rate("loss"),
    "breaches": lambda s: s.open_breaches,
}


def sort(standings: Sequence[Standing], order: str) -> list[Standing]:
    """Sorted by `name`, `-score`, ...; worst first where `order` is empty or unknown."""
    name = order.removeprefix("-")
    if name not in SORTS:
        return sorted(standings, key=worst_first)
    reverse = order.startswith("-")
    by = SORTS[name]
    return sorted(standings, key=lambda s: (*_none_last(by(s), reverse), s.factory.code), reverse=reverse)


@dataclass(frozen=True, slots=True)
class Heading:
    """One head of a column: a link that sorts by it, and how it is sorted now."""

    label: str
    url: str
    aria: str = ""
    css: str = ""


def heading(name: str, label: str, params: QueryDict, css: str = "", first: str = "") -> Heading:
    """A head that sorts by `name`, first in the direction `first` ("-" for descending), then the other way round."""
    order = params.get("o", "")
    other = "" if first == "-" else "-"
    descending = order == f"-{name}"
    aria = "descending" if descending else "ascending" if order == name else ""
    wanted = f"{other}{name}" if order == f"{first}{name}" else f"{first}{name}"
    return Heading(label, link(params, o=wanted, page=None), aria, css)


def link(params: QueryDict, **changes: object) -> str:
    """The same list with some parameters changed; None takes one away."""
    kept = {name: value for name, value in params.items() if value and name not in changes}
    kept |= {name: str(value) for name, value in changes.items() if value not in (None, "")}
    return f"?{urlencode(kept)}" if kept else "?"
