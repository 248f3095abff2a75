"""What the simulated Rally holds at first: two tenants with one user each, and work for Ann."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from devtools.rally_simulator.attributes import Value
from devtools.rally_simulator.objects import ObjectStore, RallyObject, wire_time
from devtools.rally_simulator.schema import add_definitions

ANN = "ann"
BOB = "bob"

ANN_API_KEY = "_devann"
BOB_API_KEY = "_devbob"

RICH_DESCRIPTION = (
    "<p>As a <b>shopper</b> I want to keep my basket, so that I can <i>come back later</i>.</p>"
    "<h3>Acceptance criteria</h3><ul><li>The basket survives a sign-out.</li>"
    "<li>Prices are shown as of today, not as of then.</li></ul>"
    "<table><tr><th>Case</th><th>Expected</th></tr><tr><td>5 &lt; 6 items</td><td>kept</td></tr>"
    '</table><pre>GET /basket?user=42</pre><p>See <a href="https://example.com/baskets">'
    "the study</a>.</p>"
)


@dataclass(frozen=True, slots=True)
class _Person:
    key: str
    first_name: str
    last_name: str


@dataclass(frozen=True, slots=True)
class _Tenant:
    store: ObjectStore
    user: RallyObject
    workspace_id: int
    projects: dict[str, int]

    def add(self, type_name: str, project: str, name: str, **values: Value) -> int:
        owner = {"CreatedBy": self.user.object_id} if type_name in _ARTIFACT_TYPES else {}
        placed = {} if type_name == "Task" else {"Project": self.projects[project]}
        added = self.store.add(
            type_name, self.workspace_id, {"Name": name, **owner, **placed, **values}
        )
        return added.object_id


_ARTIFACT_TYPES = ("HierarchicalRequirement", "Defect", "Task")


def populate(store: ObjectStore, now: datetime) -> dict[str, RallyObject]:
    """Fill the store and return the users by the name that the consent page offers."""
    add_definitions(store)
    ann = _add_tenant(
        store,
        _Person(ANN, "Ann", "Archer"),
        "Acme",
        {"Backlog": "", "Website": "", "Mobile": "Website"},
    )
    bob = _add_tenant(store, _Person(BOB, "Bob", "Baker"), "Beacon", {"Billing": "", "Reports": ""})
    sprint = _add_iterations(ann, now)
    _add_work(ann, sprint)
    bob.add("HierarchicalRequirement", "Billing", "Send invoices by e-mail")
    bob.add("Defect", "Billing", "Invoice total is rounded twice")
    return {ANN: ann.user, BOB: bob.user}


def _add_tenant(
    store: ObjectStore, person: _Person, company: str, projects: dict[str, str]
) -> _Tenant:
    """Add a subscription, its workspace, `projects` (each with its parent's name) and a user."""
    workspace_id = store.new_object_id()
    subscription = store.add(
        "Subscription",
        workspace_id,
        {"Name": f"{company} Corporation", "SubscriptionID": workspace_id % 10_000},
    )
    subscription.values["Subscription"] = subscription.object_id
    user_id = store.new_object_id()
    store.add(
        "Workspace",
        workspace_id,
        {
            "Name": f"{company} Workspace",
            "Owner": user_id,
            "Subscription": subscription.object_id,
            "SchemaVersion": "1",
        },
        object_id=workspace_id,
    )
    project_ids: dict[str, int] = {}
    for name, parent in projects.items():
        values: dict[str, Value] = {
            "Name": name,
            "Owner": user_id,
            "Parent": project_ids.get(parent),
        }
        project_ids[name] = store.add("Project", workspace_id, values).object_id
    user = _add_user(store, person, workspace_id, user_id, list(project_ids.values()))
    return _Tenant(store, user, workspace_id, project_ids)


def _add_user(
    store: ObjectStore, person: _Person, workspace_id: int, user_id: int, projects: list[int]
) -> RallyObject:
    profile = store.add(
        "UserProfile",
        workspace_id,
        {
            "DefaultWorkspace": workspace_id,
            "DefaultProject": projects[0],
            "TimeZone": "Europe/Berlin",
        },
    )
    return store.add(
        "User",
        workspace_id,
        {
            "UserName": f"{person.key}@example.com",
            "EmailAddress": f"{person.key}@example.com",
            "DisplayName": f"{person.first_name} {person.last_name}",
            "FirstName": person.first_name,
            "LastName": person.last_name,
            "SubscriptionID": workspace_id % 10_000,
            "DefaultProject": projects[0],
            "UserProfile": profile.object_id,
            "TeamMemberships": tuple(projects),
        },
        object_id=user_id,
    )


def _add_iterations(tenant: _Tenant, now: datetime) -> dict[str, int]:
    """Add the last, the current and the next iteration of each project; return the current."""
    current: dict[str, int] = {}
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    for project in tenant.projects:
        for number, state in ((1, "Accepted"), (2, "Committed"), (3, "Planning")):
            start = midnight + timedelta(days=14 * (number - 2) - 4)
            iteration = tenant.add(
                "Iteration",
                project,
                f"Sprint {number}",
                StartDate=wire_time(start),
                EndDate=wire_time(start + timedelta(days=14) - timedelta(seconds=1)),
                State=state,
            )
            if state == "Committed":
                current[project] = iteration
    return current


def _add_work(tenant: _Tenant, sprint: dict[str, int]) -> None:
    ann = tenant.user.object_id
    basket = tenant.add(
        "HierarchicalRequirement",
        "Backlog",
        "Keep the basket between visits",
        Description=RICH_DESCRIPTION,
        PlanEstimate=5.0,
        Owner=ann,
        Iteration=sprint["Backlog"],
        ScheduleState="In-Progress",
    )
    tenant.add("HierarchicalRequirement", "Backlog", "Export orders as CSV", PlanEstimate=3.0)
    checkout = tenant.add("HierarchicalRequirement", "Website", "Check out as a guest")
    tenant.add(
        "HierarchicalRequirement",
        "Website",
        "Remember the delivery address",
        Parent=checkout,
        ScheduleState="Completed",
    )
    tenant.add("HierarchicalRequirement", "Mobile", "Pay with the phone", Owner=ann)
    tenant.add("Task", "Backlog", "Store the basket", WorkProduct=basket, Estimate=4.0, ToDo=2.0)
    tenant.add("Task", "Backlog", "Migrate old baskets", WorkProduct=basket, Estimate=2.0, ToDo=2.0)
    tenant.add(
        "Defect",
        "Backlog",
        "Basket shows yesterday's prices",
        Requirement=basket,
        Severity="Major Problem",
        Priority="High Attention",
        State="Open",
        Owner=ann,
    )
    tenant.add("Defect", "Website", "Logo is blurred on small screens", Severity="Cosmetic")
