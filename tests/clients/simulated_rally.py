"""What stands in the simulated Rally, looked up past the product."""

from collections.abc import Mapping
from typing import Any

import httpx

API_KEY = "_devann"
"""Ann's own; it sees everything."""


async def story_in_rally(rally_url: str, formatted_id: str) -> Mapping[str, Any]:
    """Return a user story's Name, PlanEstimate and CreatedBy."""
    async with httpx.AsyncClient(headers={"ZSESSIONID": API_KEY}, trust_env=False) as rally:
        answer = await rally.get(
            f"{rally_url}/slm/webservice/v2.0/hierarchicalrequirement",
            params={
                "query": f'(FormattedID = "{formatted_id}")',
                "fetch": "Name,PlanEstimate,CreatedBy",
            },
        )
    found = answer.raise_for_status().json()["QueryResult"]
    assert found["TotalResultCount"] == 1, found
    return found["Results"][0]
