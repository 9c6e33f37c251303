"""The part of a form that asks whether the factory may be given the order."""

import datetime

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from factories.models import Factory
from production import permission, placing


class PlacingForm(forms.Form):
    """Refuses an order that the factory may not have; a warning must be ticked and is kept in the order's note."""

    anyway = forms.BooleanField(label=gettext_lazy("Order anyway"), required=False, widget=forms.HiddenInput)
    decision = permission.FREE
    placed_with: Factory | None = None

    def look(self, factory: Factory, new_value: permission.Amounts, on: datetime.date) -> permission.Decision:
        """Asks, and shows the box to tick where there is a warning."""
        self.placed_with = factory
        self.decision = placing.decide(factory, new_value, on)
        if self.decision.warning:
            self.fields["anyway"].widget = forms.CheckboxInput()
        return self.decision

    def ask(self, factory: Factory, new_value: permission.Amounts, on: datetime.date) -> None:
        """For `clean`: what stands against the order becomes an error of the form."""
        found = self.look(factory, new_value, on)
        if not found.allowed:
            self.add_error(None, list(found.reasons))
        elif found.warning and not self.cleaned_data.get("anyway"):
            self.add_error("anyway", _("%(why)s Tick this to order anyway.") % {"why": " ".join(found.reasons)})

    def ticked_before(self, order, user, on: datetime.date) -> None:
        """Whoever has ticked the same warning for the same order today finds the box ticked."""
        if self.decision.warning:
            self.fields["anyway"].initial = placing.note_of(self.decision, user, on) in order.note

    def keep(self, order, user, on: datetime.date) -> None:
        placing.add_note(order, placing.note_of(self.decision, user, on))

    @property
    def deposit_terms(self) -> str:
        """Whoever places orders sees prices, and so what is to be paid when."""
        return placing.deposit_terms(self.placed_with) if self.placed_with else ""

    @property
    def is_refused(self) -> bool:
        return not self.decision.allowed
