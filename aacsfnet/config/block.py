"""What every block of the configuration is."""

from pydantic import BaseModel, ConfigDict


class Block(BaseModel):
    """A group of keys; unknown keys are errors and values cannot change."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())
