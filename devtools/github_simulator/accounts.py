"""Accounts, which are people, an organization and a bot, and how GitHub writes them."""

from dataclasses import dataclass
from datetime import datetime

JsonObject = dict[str, object]

_LINKS = {
    "followers_url": "/followers",
    "following_url": "/following{/other_user}",
    "gists_url": "/gists{/gist_id}",
    "starred_url": "/starred{/owner}{/repo}",
    "subscriptions_url": "/subscriptions",
    "organizations_url": "/orgs",
    "repos_url": "/repos",
    "events_url": "/events{/privacy}",
    "received_events_url": "/received_events",
}


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody with a login. `type` is User, Organization or Bot; only users sign in."""

    id: int
    login: str
    created_at: datetime
    type: str = "User"
    name: str | None = None
    email: str | None = None
    bio: str | None = None


def wire_time(moment: datetime | None) -> str | None:
    """Write an aware UTC instant as GitHub does, such as `2026-12-04T08:13:23Z`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def account_document(account: Account, web: str) -> JsonObject:
    """Write an account as it stands inside other objects; `web` is GitHub's origin."""
    url = f"{web}/api/v3/users/{account.login}"
    return {
        "login": account.login,
        "id": account.id,
        "node_id": f"U_kgDO{account.id:08d}",
        "avatar_url": f"{web}/avatars/u/{account.id}?v=4",
        "gravatar_id": "",
        "url": url,
        "html_url": f"{web}/{account.login}",
        **{name: url + path for name, path in _LINKS.items()},
        "type": account.type,
        "user_view_type": "public",
        "site_admin": False,
    }


def user_document(account: Account, web: str, *, private: bool) -> JsonObject:
    """Write who is signed in: what everybody may read, or all that the user has."""
    created_at = wire_time(account.created_at)
    document = account_document(account, web) | {
        "name": account.name,
        "company": None,
        "blog": "",
        "location": None,
        "email": account.email,
        "hireable": None,
        "bio": account.bio,
        "twitter_username": None,
        "notification_email": account.email,
        "public_repos": 2,
        "public_gists": 1,
        "followers": 20,
        "following": 0,
        "created_at": created_at,
        "updated_at": created_at,
    }
    if not private:
        return document
    return document | {
        "user_view_type": "private",
        "private_gists": 3,
        "total_private_repos": 1,
        "owned_private_repos": 1,
        "disk_usage": 4096,
        "collaborators": 2,
        "two_factor_authentication": True,
        "plan": {"name": "enterprise", "space": 976562499, "collaborators": 0, "private_repos": 9},
    }
