"""What every link of the chain of receipts has in common."""

import hashlib
import json
from datetime import UTC

from pydantic import BaseModel, ConfigDict, Field

from striate.competition.moments import Moment


class Link(BaseModel):
    """One link of the chain. It ends with ``previous`` and ``digest``, which chain it to the one before.

    Attributes
    ----------
    number
        From 1.
    kind
        What it is.
    at
        When it was made.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: int = Field(ge=1)
    kind: str
    at: Moment

    def digested(self) -> str:
        """The digest that it must have: SHA-256 of all else."""
        content = self.model_dump(mode="json", exclude={"digest"})
        content["at"] = self.at.astimezone(UTC).isoformat()
        return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
