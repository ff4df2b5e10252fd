"""The one error that users see."""

from __future__ import annotations


class UserError(Exception):
    """Bad input or an impossible request, told in one line with what to do next.

    Attributes:
        message: what is wrong, naming the file and line where there is one.
        remedy: what the user does next; may be empty.
        exit_code: 2 for usage and bad input, 1 for a verdict that failed.
    """

    def __init__(self, message: str, remedy: str = "", exit_code: int = 2) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.exit_code = exit_code

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()
