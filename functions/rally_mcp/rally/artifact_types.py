"""The kinds of artifact: Rally's type names, the prefixes people write, the words they use."""

import re
from dataclasses import dataclass

from rally_mcp.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class ArtifactType:
    """One kind of artifact. `path` is WSAPI's, `page` that of the detail page's address."""

    wsapi_type: str
    title: str
    prefix: str
    page: str

    @property
    def path(self) -> str:
        """The type in a WSAPI URL."""
        return self.wsapi_type.lower()

    def url(self, rally_url: str, object_id: int) -> str:
        """Return the address of an artifact's detail page in Rally."""
        return f"{rally_url}/#/detail/{self.page}/{object_id}"


STORY = ArtifactType("HierarchicalRequirement", "user story", "US", "userstory")
DEFECT = ArtifactType("Defect", "defect", "DE", "defect")
TASK = ArtifactType("Task", "task", "TA", "task")

STOCK_TYPES = (
    STORY,
    DEFECT,
    TASK,
    ArtifactType("TestCase", "test case", "TC", "testcase"),
    ArtifactType("TestSet", "test set", "TS", "testset"),
    ArtifactType("DefectSuite", "defect suite", "DS", "defectsuite"),
    ArtifactType("PortfolioItem/Feature", "feature", "F", "portfolioitem/feature"),
    ArtifactType("PortfolioItem/Initiative", "initiative", "I", "portfolioitem/initiative"),
    ArtifactType("PortfolioItem/Theme", "theme", "T", "portfolioitem/theme"),
    ArtifactType("PortfolioItem/Epic", "epic", "E", "portfolioitem/epic"),
)
"""Rally's stock types and prefixes."""

_BY_PREFIX = {artifact_type.prefix: artifact_type for artifact_type in STOCK_TYPES} | {"S": STORY}

_FORMATTED_ID = re.compile(r"([A-Z]{1,4})[0-9]{1,12}", re.ASCII)


def prefix_of(formatted_id: str) -> str:
    """Return the prefix of a FormattedID in capital letters. Raises InvalidInput."""
    match = _FORMATTED_ID.fullmatch(formatted_id)
    if match is None:
        raise InvalidInput("A FormattedID is a prefix and a number, such as US123.")
    return match[1]


def stock_type_of(prefix: str) -> ArtifactType | None:
    """Return the type that a prefix stands for unless the tenant changed it."""
    return _BY_PREFIX.get(prefix)
