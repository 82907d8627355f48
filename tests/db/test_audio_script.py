"""`docs/audio-confidence.sql` brings older databases' confidences to double precision (A053, A056, W05)."""

from pathlib import Path

import psycopg
import pytest

from tests.kit import database

SCRIPT = (Path(__file__).parents[2] / "docs" / "audio-confidence.sql").read_bytes()
SAID = {
    "0.92": 0.92,
    "92%": 0.92,
    " 9.5 % ": 0.095,
    "92": 0.92,
    "1": 1.0,
    ".5": 0.5,
    "250": 1.0,
    "high": 0.85,
    "中": 0.6,
    "LOW": 0.3,
    "unsure": 0.0,
    "": 0.0,
    "-1": 0.0,
    None: None,
}


@pytest.mark.parametrize("kind", ["varchar(20) DEFAULT '0'", "text"])
def test_texts_become_numbers(server_url: str, kind: str) -> None:
    url = database.create(server_url, f"old_audio_{kind[:4]}")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE TABLE strategy_analysis (id serial, scene_confidence {kind})".encode())
        connection.execute("CREATE TABLE skill_executions (id serial, confidence_score real)")
        for value in SAID:
            connection.execute("INSERT INTO strategy_analysis (scene_confidence) VALUES (%s)", (value,))
        connection.execute("INSERT INTO skill_executions (confidence_score) VALUES (0.25), (NULL)")
        for _ in range(2):
            connection.execute(SCRIPT)
        found = connection.execute("SELECT scene_confidence FROM strategy_analysis ORDER BY id").fetchall()
        assert [row[0] for row in found] == pytest.approx(list(SAID.values()))
        scores = connection.execute("SELECT confidence_score FROM skill_executions ORDER BY id").fetchall()
        assert [row[0] for row in scores] == [0.25, None]
        types = connection.execute(
            "SELECT data_type FROM information_schema.columns"
            " WHERE column_name ~ 'confidence' AND table_schema = 'public'"
        ).fetchall()
        assert types == [("double precision",), ("double precision",)]


def test_on_our_own_tables_it_does_nothing(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SET search_path = audio")
        connection.execute(SCRIPT)
        kinds = connection.execute(
            "SELECT table_name, data_type FROM information_schema.columns WHERE column_name ~ 'confidence' ORDER BY 1"
        ).fetchall()
        assert kinds == [("skill_executions", "double precision"), ("strategy_analysis", "double precision")]
