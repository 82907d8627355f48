"""What is deployed agrees with the code: settings, commands, metrics; and the few lines that safety hangs on."""

import importlib
import json
import re
import tomllib
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import typer.main
from dotenv import dotenv_values
from prometheus_client import REGISTRY
from pydantic import AliasChoices

from core import production
from core.settings import Settings
from server.cli import app

# It comes with LangChain, without types.
yaml = importlib.import_module("yaml")

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
NGINX = (DEPLOY / "nginx" / "colloquy.conf").read_text()
COMPOSE = yaml.safe_load((DEPLOY / "docker" / "compose.yaml").read_text())
OURS = {name: service for name, service in COMPOSE["services"].items() if name != "postgres"}
DASHBOARD = json.loads((DEPLOY / "grafana" / "colloquy.json").read_text())
ALERTS = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())
EXAMPLE = DEPLOY / "colloquy.env.example"
COMMANDS: Any = typer.main.get_command(app)
# What Prometheus adds to every series, or to a histogram's.
GIVEN_LABELS = {"job", "instance", "le"}
SERIES = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"], "gauge": [""], "info": ["_info"]}


def variables() -> set[str]:
    names = {"MODEL_" + role for role in ("SUMMARY", "FAST", "DEEP")}
    for name, field in Settings.model_fields.items():
        match field.validation_alias:
            case str(alias):
                names.add(alias)
            case AliasChoices(choices=choices):
                names |= {str(choice) for choice in choices}
            case _:
                names.add(name.upper())
    return names


def entries(unit: Path) -> list[tuple[str, str]]:
    lines = unit.read_text().splitlines()
    return [(line.partition("=")[0], line.partition("=")[2]) for line in lines if re.match(r"[A-Za-z]+=", line)]


def of(unit: Path, key: str) -> list[str]:
    return [value for name, value in entries(unit) if name == key]


def assert_is_a_command(words: list[str]) -> None:
    program, command, *options = words
    assert program.rpartition("/")[2] == "colloquy"
    known = {name for option in COMMANDS.commands[command].params for name in (*option.opts, *option.secondary_opts)}
    assert set(options) <= known


def directives(name: str) -> set[str]:
    return {" ".join(found.split()) for found in re.findall(rf"^\s*{name}\s+([^;]+);", NGINX, re.MULTILINE)}


def test_variables_are_settings() -> None:
    assert set(dotenv_values(EXAMPLE)) <= variables()
    for unit in UNITS:
        assert {value.partition("=")[0] for value in of(unit, "Environment")} <= variables()
    for service in OURS.values():
        assert set(service["environment"]) <= variables()
    image = (DEPLOY / "docker" / "Dockerfile").read_text()
    [block] = re.findall(r"^ENV (ENV=.*(?:\\\n.*)*)", image, re.MULTILINE)
    assert set(re.findall(r"([A-Z_]+)=", block)) <= variables()


def test_the_example_lacks_secrets_only() -> None:
    given = {name: value or "" for name, value in dotenv_values(EXAMPLE).items()}
    secret = {name for name in given if re.search(r"_(SECRET|KEY|TOKEN)$|^DATABASE_URL$", name)}
    assert {"JWT_SECRET", "SECRETS_KEY", "DATABASE_URL", "METRICS_TOKEN"} <= secret
    assert {given[name] for name in secret} == {""}
    assert len(production.refusals(Settings.load(given, dotenv=None))) == 3
    filled = given | {
        "JWT_SECRET": "x" * 32,
        "SECRETS_KEY": "x" * 43 + "=",
        "DATABASE_URL": "postgresql://owner:x@db.colloquy.example/colloquy",
    }
    assert production.refusals(Settings.load(filled, dotenv=None)) == []


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_units(unit: Path) -> None:
    [start] = of(unit, "ExecStart")
    assert_is_a_command(start.split())
    assert of(unit, "User") == ["colloquy"]
    assert "ENV=production" in of(unit, "Environment")
    assert of(unit, "EnvironmentFile") == ["/etc/colloquy/colloquy.env"]
    assert (of(unit, "Restart"), of(unit, "KillSignal"), of(unit, "KillMode")) == (["always"], ["SIGTERM"], ["mixed"])
    assert int(of(unit, "TimeoutStopSec")[0]) >= 60
    assert (of(unit, "NoNewPrivileges"), of(unit, "ProtectSystem")) == (["true"], ["strict"])
    [state] = of(unit, "StateDirectory")
    assert f"DATA_DIR=/var/lib/{state}" in of(unit, "Environment")
    assert of(unit, "ReadWritePaths") == [f"/var/lib/{state}"]


def test_servers_listen_for_their_own_machine_only() -> None:
    assert all("HOST=127.0.0.1" in of(unit, "Environment") for unit in UNITS)
    published = [port for service in COMPOSE["services"].values() for port in service.get("ports", [])]
    assert published == ["127.0.0.1:8000:8000"]


def test_nginx() -> None:
    assert len(re.findall(r"^server \{", NGINX, re.MULTILINE)) == 1
    assert directives("proxy_pass") == {"http://127.0.0.1:8000"}
    assert {name.split()[0] for name in directives("listen")} >= {"80", "443", "3000"}
    assert all("ssl" in name for name in directives("listen") if not name.endswith("80"))
    for name, value in {
        "proxy_read_timeout": "300s",
        "proxy_send_timeout": "300s",
        "client_max_body_size": "106m",
        "proxy_buffering": "off",
        "proxy_http_version": "1.1",
        "ssl_protocols": "TLSv1.2 TLSv1.3",
    }.items():
        assert directives(name) == {value}, name
    headers = directives("proxy_set_header")
    assert {"Host $http_host", "X-Forwarded-Proto $scheme", "X-Request-Id $colloquy_request_id"} <= headers
    # Replaced: with $proxy_add_x_forwarded_for a client would choose the address that its logins are counted by.
    assert {header for header in headers if header.startswith("X-Forwarded-For")} == {"X-Forwarded-For $remote_addr"}
    assert "proxy_add_x_forwarded_for" not in NGINX
    assert re.search(r"if \(\$scheme = http\) \{\s*return 308 https:", NGINX)
    assert re.search(r"location = /metrics \{\s*return 404;\s*\}", NGINX)


def test_the_image() -> None:
    text = (DEPLOY / "docker" / "Dockerfile").read_text()
    assert re.findall(r"^FROM (\S+)", text, re.MULTILINE) == ["python:3.11-slim-bookworm"]
    assert re.findall(r"^USER (\S+)", text, re.MULTILINE) == ["colloquy"]
    assert text.index("\nUSER ") < text.index("\nCMD ")
    assert "pip install --require-hashes --no-deps -r requirements.lock" in text
    assert "pip install --no-deps --no-build-isolation --editable ." in text
    lock = (ROOT / "requirements.lock").read_text()
    for name in ("hatchling", "editables"):
        assert re.search(rf"^{name}==", lock, re.MULTILINE)
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert re.findall(r"^COPY (\w+) \1$", text, re.MULTILINE) == sorted(packages["packages"])
    assert "http://127.0.0.1:8000/health" in text
    assert_is_a_command(json.loads(re.findall(r"^CMD (.*)", text, re.MULTILINE)[-1]))


def test_compose() -> None:
    assert set(OURS) == {"serve", "worker"}
    for service in OURS.values():
        assert_is_a_command(service["command"])
        assert (service["env_file"], service["depends_on"]["postgres"]["condition"]) == (".env", "service_healthy")
        assert "${POSTGRES_PASSWORD:?" in service["environment"]["DATABASE_URL"]
    worker = OURS["worker"]
    assert f"127.0.0.1:{worker['environment']['METRICS_PORT']}/health" in worker["healthcheck"]["test"][-1]
    assert COMPOSE["services"]["postgres"]["environment"]["POSTGRES_PASSWORD"].startswith("${POSTGRES_PASSWORD:?")
    used = {mount.partition(":")[0] for service in COMPOSE["services"].values() for mount in service["volumes"]}
    assert used == set(COMPOSE["volumes"])
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()


def expressions() -> Iterator[str]:
    for panel in DASHBOARD["panels"]:
        yield from (target["expr"] for target in panel.get("targets", []))
    for group in ALERTS["groups"]:
        yield from (rule["expr"] for rule in group["rules"])


def series() -> dict[str, set[str]]:
    """The labels of every series that the server tells, by the series' name."""
    importlib.import_module("server.metrics")
    return {
        family.name + suffix: set(getattr(REGISTRY._names_to_collectors.get(family.name), "_labelnames", ()))
        for family in REGISTRY.collect()
        for suffix in SERIES.get(family.type, [])
    }


def test_metrics_are_told() -> None:
    told = series()
    for expression in expressions():
        names = set(re.findall(r"\bcolloquy_\w+", expression))
        assert names or "up{" in expression
        assert names <= set(told), expression
        wanted = {label for listed in re.findall(r"by \(([^)]*)\)", expression) for label in listed.split(", ")}
        wanted |= set(re.findall(r"(\w+)=~?\"", expression))
        assert wanted <= GIVEN_LABELS.union(*(told[name] for name in names)), expression


def test_the_dashboard() -> None:
    assert DASHBOARD["schemaVersion"] >= 39
    [source] = [variable for variable in DASHBOARD["templating"]["list"] if variable["type"] == "datasource"]
    assert (source["name"], source["query"]) == ("datasource", "prometheus")
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert [panel["title"] for panel in panels if panel["type"] == "row"] == [
        "Traffic",
        "Runs",
        "Models",
        "Identity and limits",
        "Database",
        "Retention",
        "Alibaba's tokens",
    ]
    for panel in panels:
        for target in panel.get("targets", []):
            assert target["datasource"] == panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    for one, other in combinations([panel["gridPos"] for panel in panels], 2):
        apart = [one[a] + one[b] <= other[a] or other[a] + other[b] <= one[a] for a, b in (("x", "w"), ("y", "h"))]
        assert any(apart), "two panels share a place"


def test_prometheus_asks_where_they_listen() -> None:
    jobs = {
        job["job_name"]: job["static_configs"][0]["targets"]
        for job in yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    }
    assert jobs["colloquy-serve"] == ["127.0.0.1:8000"]
    [port] = [v for v in of(DEPLOY / "systemd" / "colloquy-worker@.service", "Environment") if "METRICS_PORT" in v]
    told = [f"127.0.0.1:{port.partition('=')[2].replace('%i', number)}" for number in "12"]
    assert jobs["colloquy-worker"] == told


def test_the_manual_names_commands_that_exist() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    named = set(re.findall(r"(?:^|[`/ ])colloquy ([a-z][a-z-]+)(?= |`|$)", text, re.MULTILINE))
    assert {"serve", "migrate", "backup", "restore"} <= named
    assert named <= set(COMMANDS.commands)
