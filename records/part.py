"""What all parts of a record have in common."""

from __future__ import annotations

from typing import Any, ClassVar


class RecordPart:
    """A part of a record: what it does not know is refused when it is read, and so are NaN and infinity.

    `LATER` are the fields that were added after records had been published: where one has its default it is not
    written, so that those records keep their names.
    """

    __slots__ = ()
    LATER: ClassVar[tuple[str, ...]] = ()
    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "allow_inf_nan": False}
