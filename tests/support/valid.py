"""A valid report, as the schema asks for it."""

from __future__ import annotations

from typing import Any

#: Incident that intake accepts as it stands. Tests change what they are about.
INCIDENT: dict[str, Any] = {
    "type": "incident",
    "feed": "field-office",
    "report_id": "FO-17",
    "reported_at": "2016-09-13T12:00:00+03:00",
    "occurred": {"from": "2016-09-13T09:00:00+03:00", "to": "2016-09-13T09:30:00+03:00", "precision": "minute"},
    "place": {"pcode": "SY02"},
    "kind": "shelling",
}
