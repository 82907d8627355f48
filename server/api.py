"""All routes of the application, in one list."""

from fastapi import APIRouter

from server import health
from server.calls.endpoints import agents, records

ROUTERS: tuple[APIRouter, ...] = (
    health.router,
    records.router,
    agents.router,
)
