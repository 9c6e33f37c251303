"""Text as it is compared in a search: `Công ty Đại Phát` is found by `cong ty dai phat`.

The database does the same with its own functions, so that no extension is needed.
"""

import re
import unicodedata

from django.db.models import Func, TextField

MARKS = "[\u0300-\u036f]"
# Letters that no mark makes, and what people type for them.
LETTERS, PLAIN = "đĐøØłŁıħĦ", "dDoOlLihH"


def folded(text: str) -> str:
    """In small letters, full-width forms made plain, without the marks on letters."""
    bare = re.sub(MARKS, "", unicodedata.normalize("NFKD", text))
    return bare.translate(str.maketrans(LETTERS, PLAIN)).lower()


class Folded(Func):
    """`folded` of a column, in the database."""

    template = f"lower(translate(regexp_replace(normalize(%(expressions)s, NFKD), '{MARKS}', '', 'g'), '{LETTERS}', '{PLAIN}'))"
    output_field = TextField()
