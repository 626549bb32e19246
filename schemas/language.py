"""The base of everything that is written down as a pydantic model."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Language(BaseModel):
    """Base of all models: frozen, strict, unknown fields refused."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", ser_json_inf_nan="null")
