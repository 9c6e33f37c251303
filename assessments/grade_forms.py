"""What people type about grades: what one brings with it, and a permission to order in spite of it."""

import datetime
import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from assessments.models import GradeConsequence
from factories.models import StandingOverride

LONGEST_OVERRIDE = 90  # days, the first and the last one counted


class GradeForm(forms.ModelForm):
    """What one grade opens and closes."""

    class Meta:
        model = GradeConsequence
        fields = ["orders", "max_open_value", "cap_currency", "inspection", "deposit_terms", "has_badge", "needs_plan"]
        labels = {
            "orders": gettext_lazy("New orders"),
            "max_open_value": gettext_lazy("Open orders may be worth at most"),
            "cap_currency": gettext_lazy("Currency of the cap"),
            "inspection": gettext_lazy("Inspection"),
            "deposit_terms": gettext_lazy("Deposit and payment terms"),
            "has_badge": gettext_lazy("Bears the badge, first pick for new styles"),
            "needs_plan": gettext_lazy("Owes an improvement plan"),
        }
        help_texts = {
            "max_open_value": gettext_lazy(
                "Empty: no cap. Counted is what is still to come, in the currency of the cap."
            ),
        }
        widgets = {
            "orders": forms.RadioSelect,
            "inspection": forms.RadioSelect,
            "max_open_value": forms.TextInput({"class": "w-m", "inputmode": "decimal", "autocomplete": "off"}),
            "cap_currency": forms.TextInput({"class": "w-s", "autocomplete": "off"}),
        }

    def clean_max_open_value(self) -> Any:
        cap = self.cleaned_data["max_open_value"]
        if cap is not None and cap <= 0:
            raise ValidationError(_("A cap is more than 0. To close orders altogether choose “No new orders”."))
        return cap

    def clean_cap_currency(self) -> str:
        currency = self.cleaned_data["cap_currency"].strip().upper()
        if not re.fullmatch(r"[A-Z]{3}", currency):
            raise ValidationError(_("Use the three-letter currency code, for example USD."))
        return currency


class OverrideForm(forms.ModelForm):
    """A permission to order from one factory for some days, and why."""

    class Meta:
        model = StandingOverride
        fields = ["reason", "from_on", "until_on"]
        labels = {
            "reason": gettext_lazy("Reason"),
            "from_on": gettext_lazy("First day"),
            "until_on": gettext_lazy("Last day"),
        }
        help_texts = {"until_on": gettext_lazy("At most 90 days, the first and the last one counted.")}
        error_messages = {
            "reason": {"required": gettext_lazy("Say why; whoever orders will read it.")},
            "until_on": {"required": gettext_lazy("An override has a last day.")},
        }
        widgets = {
            "reason": forms.TextInput({"autocomplete": "off"}),
            "from_on": forms.DateInput({"type": "date", "class": "w-m"}, format="%Y-%m-%d"),
            "until_on": forms.DateInput({"type": "date", "class": "w-m"}, format="%Y-%m-%d"),
        }

    def __init__(self, *args: Any, today: datetime.date, **kwargs: Any):
        super().__init__(*args, initial={"from_on": today}, **kwargs)
        self.today = today

    def clean_from_on(self) -> datetime.date:
        first = self.cleaned_data["from_on"]
        if first < self.today:
            raise ValidationError(_("An override cannot begin in the past."))
        return first

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        first, last = data.get("from_on"), data.get("until_on")
        if first and last and (last - first).days >= LONGEST_OVERRIDE:
            latest = first + datetime.timedelta(days=LONGEST_OVERRIDE - 1)
            words = _("That is longer than %(days)s days. The last day can be %(latest)s.")
            self.add_error("until_on", words % {"days": LONGEST_OVERRIDE, "latest": latest})
        return data
