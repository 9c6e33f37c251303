"""Charts as SVG markup: pure functions, values in, safe markup out; no script, no style attribute, nothing to hover.

Each chart is drawn twice, 720 and 358 units wide; the style sheet shows the one that fits. Attributes carry colours
that print on white paper (PDF, mail), classes carry the theme. A missing value is None: a gap, never a zero.
"""

from assessments.charts.changes import grade_changes
from assessments.charts.control import Lot, p_chart
from assessments.charts.drift import drift
from assessments.charts.heatmap import heat_class, heat_steps
from assessments.charts.histogram import histogram
from assessments.charts.points import points_rule
from assessments.charts.trend import Point, sparkline, trend

__all__ = [
    "Lot",
    "Point",
    "drift",
    "grade_changes",
    "heat_class",
    "heat_steps",
    "histogram",
    "p_chart",
    "points_rule",
    "sparkline",
    "trend",
]
