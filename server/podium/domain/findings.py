"""What a check of the workspace found: errors to mend, and warnings to think about."""

from dataclasses import dataclass
from typing import Any, Literal

from typing_extensions import override

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a check found.

    `source` is the file, `where` the place in it (a key path such as `patterns[0].regex`), `line`
    is 1-based and None where it is not known.
    """

    severity: Severity
    source: str
    message: str
    where: str = ""
    line: int | None = None
    hint: str = ""

    @override
    def __str__(self) -> str:
        line = f":{self.line}" if self.line is not None else ""
        place = f"{self.where}: " if self.where else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.severity}: {self.source}{line}: {place}{self.message}{hint}"

    def to_dict(self) -> dict[str, Any]:
        """Return the public form of a finding."""
        return {
            "severity": self.severity,
            "source": self.source,
            "line": self.line,
            "where": self.where,
            "message": self.message,
            "hint": self.hint,
        }
