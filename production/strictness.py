"""How strictly goods are inspected: the stricter of what the grade of the factory asks for and what its last lots ask for.

Both in sentences, as they are now and as an inspection keeps them.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from types import SimpleNamespace
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from factories.models import Factory, Severity
from production import permission, sampling, switching
from production.models import Inspection
from production.samples import CLASSES
from production.switching import RELAX, Judged, State
from production.wording import day

MILDEST_FIRST = (Severity.NORMAL, Severity.TIGHTENED, Severity.FULL)


@dataclass(frozen=True, slots=True)
class Strictness:
    """What the next inspection of a factory's goods of one category is held to, and why."""

    severity: Severity
    grade: Mapping[str, str] | None  # of a grade that asks for more than normal inspection: grade, since_on, inspection
    state: State

    @property
    def sentences(self) -> list[SafeString]:
        """Why goods are inspected so strictly; nothing where they are inspected as usual."""
        return [each for each in (_by_grade(self.grade), linked(self.state)) if each]

    @property
    def because(self) -> dict[str, Any] | None:
        """The same to be kept with an inspection."""
        lots = asdict(self.state) if self.state.severity != sampling.NORMAL else None
        return {"grade": self.grade, "lots": _plain(lots)} if self.grade or lots else None


def of(factory: Factory, category: int, day: date) -> Strictness:
    """The strictness on `day` for a category of a factory that was read with its standing. One query."""
    standing = getattr(factory, "standing", None)
    by_grade = Severity(standing.inspection) if standing else Severity.NORMAL
    state = switching.of(factory, day, category).get(category, State())
    grade = None
    if standing and by_grade != Severity.NORMAL:
        grade = {"grade": standing.grade, "since_on": standing.since_on.isoformat(), "inspection": standing.inspection}
    return Strictness(max(by_grade, state.plan, key=MILDEST_FIRST.index), grade, state)


def kept(inspection: Inspection) -> list[SafeString]:
    """Why an inspection was as strict as it was, from what it keeps; nothing where it keeps nothing."""
    stored = inspection.severity_because
    if not stored:
        return []
    lots = stored.get("lots")
    return [each for each in (_by_grade(stored.get("grade")), linked(_state(lots)) if lots else "") if each]


def linked(state: State) -> SafeString | str:
    """The sentence of a state, each lot that it names with a link to its inspection; empty for normal inspection."""
    said = _said(state)
    if not said:
        return ""
    lots = format_html_join(", ", '<a href="{}">{}</a>', ((_url(lot), lot.code) for lot in state.lots))
    return format_html(said.replace("{", "{{").replace("}", "}}").replace("%(lots)s", "{lots}"), lots=lots)


def plainly(state: State) -> str:
    """The same without links."""
    return _said(state).replace("%(lots)s", ", ".join(lot.code for lot in state.lots))


def _said(state: State) -> str:
    """The sentence of a state with a place for its lots, `%(lots)s`."""
    if state.severity == sampling.NORMAL or state.since is None:
        return ""
    facts = {
        "since": day(state.since), "n": len(state.lots), "among": state.among, "classes": _classes(state.classes),
        "lots": "%(lots)s",
    }  # fmt: skip
    if state.is_discontinued:
        words: str = _(
            "Inspection is discontinued since %(since)s: %(n)s lots were not accepted%(classes)s while it was tightened "
            "(%(lots)s). It begins again, tightened, on the day a correction is confirmed."
        )
        return words % facts
    if state.corrected_on:
        words = _(
            "Tightened since %(since)s: inspection had been discontinued, and a correction was confirmed that day."
        )
    else:
        words = _(
            "Tightened since %(since)s: %(n)s of %(among)s lots in a row were not accepted%(classes)s (%(lots)s)."
        )
    left = RELAX - state.accepted
    more = ngettext(
        "%(left)s more accepted in a row brings normal inspection back.",
        "%(left)s more accepted in a row bring normal inspection back.",
        left,
    )
    return f"{words % facts} {more % {'left': left}}"


def _classes(names: tuple[str, ...]) -> str:
    """ " for major defects"; empty where every class was refused, as without a sample plan."""
    if set(names) == set(CLASSES):
        return ""
    words = {"critical": _("critical"), "major": _("major"), "minor": _("minor")}
    return _(" for %(classes)s defects") % {"classes": _(" and ").join(words[name] for name in names)}


def _by_grade(grade: Mapping[str, str] | None) -> SafeString | str:
    if not grade:
        return ""
    since = date.fromisoformat(grade["since_on"])
    standing = SimpleNamespace(grade=grade["grade"], since_on=since, inspection=grade["inspection"])
    return format_html("{}", permission.strictness(standing))


def _url(lot: Judged) -> str:
    return Inspection(pk=lot.inspection).get_absolute_url()


def _plain(value: Any) -> Any:
    """The same as JSON holds it."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, date):
        return value.isoformat()
    return [_plain(each) for each in value] if isinstance(value, (tuple, list, frozenset)) else value


def _state(stored: Mapping[str, Any]) -> State:
    lots = tuple(
        Judged(each["lot"], each["code"], each["inspection"], date.fromisoformat(each["on"])) for each in stored["lots"]
    )
    days = {name: stored[name] and date.fromisoformat(stored[name]) for name in ("since", "corrected_on")}
    numbers = {name: stored[name] for name in ("severity", "among", "accepted")}
    return State(lots=lots, classes=tuple(stored["classes"]), **days, **numbers)
