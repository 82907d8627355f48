"""Paging: page ≥ 1, size 1–100, default 20 (K05); the answers of 000 and 002 tell where a page stands."""

from typing import Annotated, Final, Self

from fastapi import Query
from pydantic import BaseModel

# Beyond this an offset is no longer a page that anybody reads.
_MAX_PAGE: Final = 1_000_000

PageNumber = Annotated[int, Query(ge=1, le=_MAX_PAGE)]
PageSize = Annotated[int, Query(ge=1, le=100)]


class Pagination(BaseModel):
    """Where a page stands among all."""

    page: int
    page_size: int
    total: int
    total_pages: int

    @classmethod
    def of(cls, page: int, page_size: int, total: int) -> Self:
        """Return the position of a page; no rows make no pages."""
        return cls(page=page, page_size=page_size, total=total, total_pages=-(-total // page_size))
