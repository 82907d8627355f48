"""The commands that end by themselves, as operators give them."""

import json
from pathlib import Path
from uuid import UUID

import httpx

from tests.kit.processes import ROOT, command, environment, free_port, served


def test_migrate_may_be_given_twice(no_data_dir: Path) -> None:
    for _ in range(2):
        done = command("migrate", environ=environment(no_data_dir))
        assert (done.returncode, "current schema" in done.stdout) == (0, True), done.stderr


def test_keys_are_made_listed_and_revoked(data_dir: Path, tmp_path: Path) -> None:
    """A key acts as its user: two keys of one user see the same rows, another user's key does not."""
    environ = environment(data_dir)

    def cli(*arguments: str) -> str:
        done = command("api-key", *arguments, environ=environ)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    with served(environ, tmp_path / "server.log") as server:

        def agents(key: str) -> httpx.Response:
            return httpx.get(server.address + "/api/v1/agents", headers={"authorization": f"Bearer {key}"})

        first = cli("create", "--name", "first")
        [line] = [line for line in cli("list").splitlines() if line.endswith("  first")]
        key_id, _made, _user, user_id, *_ = line.split()
        second = cli("create", "--name", "second", "--user", user_id)
        httpx.post(server.address + "/api/v1/agents", headers={"x-api-key": first}, json={"name": "甲"})
        assert len(agents(second).json()["data"]["agents"]) == 1
        assert agents(cli("create", "--name", "third")).json()["data"]["agents"] == []
        cli("revoke", key_id)
        cli("revoke", key_id)
        assert agents(first).status_code == 401
        assert agents(second).status_code == 200
        listed = cli("list")
        assert listed.count("revoked") == 1
        assert first not in listed
        assert first not in server.printed()
        for wrong in (["revoke", str(UUID(int=1))], ["create", "--name", "x", "--phone", "13800000001"]):
            done = command("api-key", *wrong, environ=environ)
            assert (done.returncode, "Traceback" in done.stderr) == (1, False)
            assert done.stderr.startswith("colloquy: ")


def test_the_demonstration_shows_every_example(no_data_dir: Path) -> None:
    done = command("demo", environ=environment(no_data_dir, PORT=str(free_port())))
    assert done.returncode == 0, done.stderr
    for path in (ROOT / "examples" / "calls").glob("*.json"):
        assert json.loads(path.read_text())["title"] in done.stdout
    assert "NO_MESSAGES" in done.stdout
    for shown in (
        "audio strategy: rent-goes-up.ogg",
        "skills negotiation-principled",
        "picture 0: image/png",
        "session 1",
    ):
        assert shown in done.stdout
    assert "model offline" in done.stdout
