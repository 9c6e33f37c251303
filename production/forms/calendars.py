"""What managers type about working calendars: a new one, a day set by hand, the years of holidays to take in."""

import datetime
import re

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from factories import public_holidays
from factories.models import FIRST_DAY, LAST_DAY, Factory, WorkingCalendar
from production.forms.fields import DayField

WEEK = [
    (1, gettext_lazy("Monday")), (2, gettext_lazy("Tuesday")), (3, gettext_lazy("Wednesday")), (4, gettext_lazy("Thursday")),
    (5, gettext_lazy("Friday")), (6, gettext_lazy("Saturday")), (7, gettext_lazy("Sunday")),
]  # fmt: skip
MOST_DAYS, MOST_YEARS = 62, 10


class CalendarForm(forms.ModelForm):
    """A new calendar: by itself, with a country's holidays, or building on another and then for one factory."""

    weekend = forms.TypedMultipleChoiceField(
        label=gettext_lazy("Days off every week"),
        choices=WEEK,
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        initial=[6, 7],
    )
    factory = forms.ModelChoiceField(
        Factory.objects.none(),
        label=gettext_lazy("For the factory"),
        to_field_name="code",
        required=False,
        help_text=gettext_lazy("It works by this calendar from now on. Lines that were agreed keep theirs."),
    )

    class Meta:
        model = WorkingCalendar
        fields = ["name", "code", "base", "weekend"]
        labels = {"name": gettext_lazy("Name"), "code": gettext_lazy("Code"), "base": gettext_lazy("Builds on")}
        help_texts = {
            "code": gettext_lazy("For addresses and import files, for example cn-factories."),
            "base": gettext_lazy("It then has the holidays of that calendar, and its own days win."),
        }

    def __init__(self, *args, factories, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["base"].queryset = WorkingCalendar.objects.filter(base=None)
        self.fields["base"].empty_label = _("Nothing: it stands by itself")
        self.fields["factory"].queryset = factories
        self.fields["factory"].empty_label = _("None yet")
        self.order_fields(["name", "code", "base", "factory", "weekend"])
        for name in ("base", "factory"):
            self.fields[name].is_optional = True

    def clean_code(self):
        if self.cleaned_data["code"].lower() == "new":
            raise ValidationError(_("Choose another code: this one is an address already."))
        return self.cleaned_data["code"]


class DaysForm(forms.Form):
    """Days set by hand, one or several in a row."""

    day = DayField(label=gettext_lazy("Day"))
    until = DayField(label=gettext_lazy("Through"), required=False)
    is_open = forms.TypedChoiceField(
        label=gettext_lazy("What it is"),
        choices=[("no", gettext_lazy("A day off")), ("yes", gettext_lazy("A working day"))],
        coerce=lambda value: value == "yes",
        widget=forms.RadioSelect,
        initial="no",
    )
    name = forms.CharField(
        label=gettext_lazy("Why"), max_length=120, required=False, widget=forms.TextInput({"autocomplete": "off"})
    )

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["until"].is_optional = self.fields["name"].is_optional = True

    def clean(self):
        data = super().clean()
        day, until = data.get("day"), data.get("until") or data.get("day")
        if not (day and until):
            return data
        if until < day:
            self.add_error("until", _("The last day cannot lie before the first."))
        elif not (FIRST_DAY <= day and until <= LAST_DAY):
            self.add_error("day", _("The day must lie between 2000 and 2049."))
        elif until - day >= datetime.timedelta(days=MOST_DAYS):
            self.add_error("until", _("At most %(days)s days at once.") % {"days": MOST_DAYS})
        return data | {"until": until}


class TakeInForm(forms.Form):
    """Which country's holidays, for which years."""

    country = forms.ChoiceField(label=gettext_lazy("Country"))
    years = forms.CharField(
        label=gettext_lazy("Years"),
        max_length=200,
        help_text=gettext_lazy("For example 2026, or 2026 2027."),
        widget=forms.TextInput({"class": "w-m", "inputmode": "numeric", "autocomplete": "off"}),
    )

    def __init__(self, *args, calendar, **kwargs):
        super().__init__(*args, **kwargs)
        names = public_holidays.names()
        if calendar.country:
            self.fields["country"].choices = [(calendar.country, names.get(calendar.country, calendar.country))]
            self.fields["country"].widget = forms.HiddenInput()
            self.fields["country"].initial = calendar.country
        else:
            by_name = sorted(names.items(), key=lambda item: item[1])
            self.fields["country"].choices = [("", _("Choose a country")), *by_name]

    def clean_years(self):
        words = re.findall(r"\S+", self.cleaned_data["years"].replace(",", " "))
        wrong = [word for word in words if not re.fullmatch(r"20[0-4][0-9]", word, re.ASCII)]
        if wrong:
            raise ValidationError(_("“%(word)s” is not a year between 2000 and 2049.") % {"word": wrong[0][:20]})
        years = sorted({int(word) for word in words})
        if len(years) > MOST_YEARS:
            raise ValidationError(_("At most %(years)s years at once.") % {"years": MOST_YEARS})
        return years
