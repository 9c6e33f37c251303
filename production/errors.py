"""The one error of the rule functions: a number that cannot be true (G-6)."""


class BadInput(ValueError):
    """Raised for impossible numbers; nothing is stored, clamped or swapped (G-6).

    `message` is a sentence a person can read; `field` names the input it belongs to, when there is one.
    """

    code = "BAD_INPUT"

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
