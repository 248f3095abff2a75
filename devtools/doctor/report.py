"""The report of a run: a line for each check, or one JSON document."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from devtools.doctor.checks import Finding
from rally_mcp.tools.sanitize import one_line

_LONGEST_LINE = 1000
"""Characters; some of them may be what a server said."""


@dataclass(frozen=True, slots=True)
class Report:
    """What came out. `mcp_url` is None where this environment was looked at."""

    mcp_url: str | None
    version: str | None
    redirect_uri: str | None
    findings: Sequence[Finding]

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return all(finding.outcome != "fail" for finding in self.findings)

    def lines(self) -> Iterator[str]:
        """Yield a line for each check."""
        for finding in self.findings:
            word, words = _line(finding)
            yield f"{word:4}  {one_line(words, _LONGEST_LINE)}"

    def as_json(self) -> str:
        """Return the JSON document."""
        members = ("name", "outcome", "problem", "remedy", "fact")
        document = {
            "mcp_url": self.mcp_url,
            "ok": self.ok,
            "version": self.version,
            "redirect_uri": self.redirect_uri,
            "checks": [
                {member: getattr(finding, member) for member in members}
                for finding in self.findings
            ],
        }
        return json.dumps(document)


def _line(finding: Finding) -> tuple[str, str]:
    remedy = f"; {finding.remedy}" if finding.remedy else ""
    match finding.outcome:
        case "ok":
            return "ok", finding.name + (f": {finding.fact}" if finding.fact else "")
        case "fail":
            return "FAIL", f"{finding.name}: {finding.problem}{remedy}"
        case "not_checked":
            return "--", f"{finding.name}: not checked, because {finding.problem}{remedy}"
