"""The types that hang on an artifact: posts of its discussion, and pull requests."""

from devtools.rally_simulator.administrative_types import IN_WORKSPACE
from devtools.rally_simulator.attributes import (
    Kind,
    date,
    declare,
    number,
    reference,
    string,
    text,
)

ATTACHED_TYPES = (
    declare(
        "ConversationPost",
        "Conversation Post",
        *IN_WORKSPACE,
        date("LastUpdateDate", read_only=True),
        reference("Artifact", "Artifact", required=True),
        reference("User", "User", read_only=True),
        number("PostNumber", Kind.INTEGER, read_only=True),
        text("Text"),
        creatable=True,
    ),
    declare(
        "PullRequest",
        "Pull Request",
        *IN_WORKSPACE,
        reference("Artifact", "Artifact", required=True),
        reference("Project", "Project", inherited_from="Artifact"),
        string("ExternalID"),
        string("ExternalFormattedId"),
        string("Name"),
        string("Url"),
        text("Description"),
        creatable=True,
    ),
)
