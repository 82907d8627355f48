"""Rules of the house that no linter knows."""

import importlib
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from core.settings import Settings
from server.api import ROUTERS
from server.chat.access import current_caller
from server.runs import workflows
from server.security import anybody, current_principal

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
# They say so themselves, and are written down here too; everything else needs a caller (K19).
PUBLIC = {
    ("GET", "/health"),
    ("HEAD", "/health"),
    ("GET", "/metrics"),
    ("GET", "/ok"),
    ("GET", "/info"),
    ("POST", "/api/v1/auth/send-code"),
    ("POST", "/api/v1/auth/login"),
    ("POST", "/auth/request-code"),
    ("POST", "/auth/verify-code"),
    # Its address is the proof: signed, and good for minutes.
    ("GET", "/api/v1/files/{key:path}"),
}
# Their caller is what FRONTEND_AUTH says: anybody, or a login (K20).
BY_SETTING = {
    ("GET", "/api/v1/frontend/session/init"),
    ("GET", "/api/v1/frontend/sessions"),
    ("GET", "/api/v1/frontend/sessions/{session_id}/messages"),
    ("GET", "/api/v1/frontend/sessions/{session_id}/stream"),
    ("POST", "/api/v1/chat/new"),
    ("POST", "/api/v1/chat/resume"),
    ("POST", "/api/v1/frontend/chat"),
    ("POST", "/api/v1/analyze-deep/raw"),
    ("POST", "/api/v1/documents/upload"),
}
ROUTES = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]


def methods(route: APIRoute) -> set[str]:
    return route.methods or set()


@pytest.mark.parametrize("name", PACKAGES)
def test_each_of_our_packages_is_ours(name: str) -> None:
    """A dependency can ship a top-level package of the same name."""
    file = importlib.import_module(name).__file__
    assert file is not None
    assert Path(file).is_relative_to(ROOT)


def test_every_package_is_shipped_and_under_contract() -> None:
    found = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"bench", "tests"}
    assert found == set(PACKAGES) == set(PROJECT["tool"]["importlinter"]["root_packages"])


def test_langgraph_json_names_bare_graphs() -> None:
    """Studio's server refuses a graph with a checkpointer of its own (X014, K35)."""
    loaded = workflows.load(ROOT / "langgraph.json")
    named = json.loads((ROOT / "langgraph.json").read_text())["graphs"]
    assert set(loaded) == set(named)
    for name, location in named.items():
        module, _colon, attribute = location.partition(":")
        # The object itself: what is served has lost a checkpointer of its own.
        assert getattr(importlib.import_module(module), attribute).checkpointer is None
        assert loaded[name].get_input_jsonschema()["type"] == "object"


def test_checkpointers_are_attached_by_the_one_function_that_keeps_the_state_classes() -> None:
    """`Pregel.copy` forgets the allow-list of the state's classes (X023)."""
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            found = re.search(r"\.copy\(\s*(update=)?\{\s*.checkpointer", file.read_text())
            assert found is None, f"{file}: use server.runs.workflows.with_saver"


def test_no_two_routes_share_method_and_path() -> None:
    pairs = [(method, route.path) for route in ROUTES for method in methods(route)]
    assert len(pairs) == len(set(pairs))


def test_no_literal_path_is_shadowed_by_a_parameter() -> None:
    """`/call-records/statistics` must be found before `/call-records/{record_id}` (C026, K10)."""
    for position, route in enumerate(ROUTES):
        for earlier in ROUTES[:position]:
            shadowed = earlier.path_regex.match(route.path) and methods(earlier) & methods(route)
            assert not shadowed or earlier.path == route.path, f"{earlier.path} hides {route.path}"


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{min(methods(route))} {route.path}")
def test_every_route_has_a_model_and_a_caller(route: APIRoute) -> None:
    assert route.response_model is not None or route.status_code == 204
    called = set(calls(route.dependant))
    names = {(method, route.path) for method in methods(route)}
    public, by_setting = names <= PUBLIC, names <= BY_SETTING
    assert (anybody in called, current_caller in called) == (public, by_setting)
    assert (current_principal in called) == (not public and not by_setting)


def calls(dependant: Dependant) -> Iterator[object]:
    for dependency in dependant.dependencies:
        yield dependency.call
        yield from calls(dependency)


def test_every_setting_is_in_the_example_and_the_readme() -> None:
    example = (ROOT / ".env.example").read_text()
    readme = (ROOT / "README.md").read_text()
    for name, field in Settings.model_fields.items():
        if name == "roles":
            continue
        alias = field.validation_alias
        variable = alias if isinstance(alias, str) else name.upper()
        assert re.search(rf"^{variable}=", example, re.MULTILINE), f".env.example lacks {variable}"
        assert f"`{variable}`" in readme, f"README lacks {variable}"


def test_the_example_is_valid_and_means_the_defaults() -> None:
    assert Settings.load({}, dotenv=ROOT / ".env.example") == Settings.load({}, dotenv=None)


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_locks_hold_no_download_addresses(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert "--hash=sha256:" in text
