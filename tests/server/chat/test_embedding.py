"""Documents found by meaning and by words, with the real pgvector and a scripted model (G39, X025)."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import psycopg
import pytest

from db.roles import role_url
from nodes.meta_workflow.records import Passage
from providers.embeddings import Embedder
from providers.usage import Usage
from server.chat.embedding import DocumentEmbedding
from server.chat.records import SessionDocuments
from server.chat.repository import vectors
from server.database import migrate
from tests.kit import database
from tests.kit.app import Service, running_service
from tests.kit.embeddings import meaning
from tests.kit.model_faults import Body, Delay, Status
from tests.kit.model_server import ModelServer
from tests.kit.people import SetClock
from tests.kit.waiting import until
from tests.server.chat.conftest import Person, environment, somebody

CHINESE = "静野耳机的电池能用三十二小时。".encode()
ENGLISH = b"The battery of the QX-9 lasts two days."
WARRANTY = "保修三年，人为损坏除外。".encode()


@pytest.fixture(scope="module")
def migrated(server_url: str) -> str:
    url = database.create(server_url, "vectors")
    asyncio.run(migrate(url, vectors=True))
    return url


@pytest.fixture
def url(migrated: str) -> str:
    emptier = database.Emptier(migrated)
    emptier.empty()
    emptier.close()
    return migrated


def service_on(
    url: str, path: Path, models: ModelServer, clock: SetClock, model: str = "embed", **more: str
) -> AbstractAsyncContextManager[Service]:
    given = environment(models, MODEL_EMBED=f"openai:{model}", MODEL_MAX_ATTEMPTS="1", **more)
    return running_service(url, path, given, clock=clock)


@pytest.fixture
async def service(url: str, tmp_path: Path, models: ModelServer, clock: SetClock) -> AsyncIterator[Service]:
    async with service_on(url, tmp_path, models, clock) as service:
        yield service


@pytest.fixture
def system(url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(role_url(url, "system"), autocommit=True) as connection:
        yield connection


async def rows(service: Service, statement: str) -> list[dict[str, Any]]:
    async with service.runtime.system.pool.connection() as connection:
        return await (await connection.execute(statement.encode())).fetchall()


async def standing(service: Service, wanted: int, condition: str = "is_done") -> list[dict[str, Any]]:
    """Wait until so many documents are as wanted."""
    statement = f"SELECT *, due_at > now() AS waits FROM chat_vectors.documents WHERE {condition}"
    async with asyncio.timeout(10):
        while len(found := await rows(service, statement)) != wanted:
            await asyncio.sleep(0.02)
    return found


def embedding(service: Service) -> DocumentEmbedding:
    runtime = service.runtime
    return DocumentEmbedding(runtime.system.pool, runtime.database, runtime.embedder, runtime.clock)


async def sweep(service: Service) -> int:
    assert service.runtime.embedder is not None
    return await embedding(service).sweep(service.runtime.embedder)


async def search(service: Service, person: Person, query: str, limit: int = 6) -> list[Passage]:
    [owner] = await rows(service, f"SELECT owner_id FROM chat.sessions WHERE id = '{person.session_id}'")
    store = SessionDocuments(service.runtime.database, owner["owner_id"], service.runtime.embedder)
    return await store.search(person.session_id, query, limit)


async def names(service: Service, person: Person, query: str, limit: int = 6) -> list[str]:
    return [passage["filename"] for passage in await search(service, person, query, limit)]


class Stumbling:
    """Stumbles at the first text over something that nobody thought of, and takes its time for the others."""

    name, batch, max_attempts = "test:stumbling", 10, 1

    def __init__(self) -> None:
        self.begun = self.under_way = 0

    async def passages(self, texts: Sequence[str], _calls: list[Usage]) -> list[list[float]]:
        self.begun += 1
        self.under_way += 1
        try:
            # All have begun before one fails.
            await asyncio.sleep(0.2)
            if self.under_way == self.begun:
                raise RuntimeError("unforeseen")
            await asyncio.sleep(0.3)
            return [meaning(text) for text in texts]
        finally:
            self.under_way -= 1


class TestSearch:
    async def test_either_language_finds_the_other(self, service: Service, person: Person) -> None:
        for name, content in (("中.txt", CHINESE), ("en.txt", ENGLISH), ("w.txt", WARRANTY)):
            assert (await person.upload(name, content)).status_code == 200
        await standing(service, 3)
        # Not a word of these is in the documents that they find.
        assert set((await names(service, person, "续航"))[:2]) == {"中.txt", "en.txt"}
        assert set((await names(service, person, "how to charge it"))[:2]) == {"中.txt", "en.txt"}
        assert (await names(service, person, "repair"))[0] == "w.txt"

    async def test_what_words_and_meaning_name_comes_first(self, service: Service, person: Person) -> None:
        for name, content in (("中.txt", CHINESE), ("en.txt", ENGLISH), ("w.txt", WARRANTY)):
            await person.upload(name, content)
        await standing(service, 3)
        found = await search(service, person, "QX-9 电池")
        assert {found[0]["filename"], found[1]["filename"]} == {"中.txt", "en.txt"}
        assert found[0]["score"] == pytest.approx(1 / 61 + 1 / 62, abs=1e-3)
        assert [p["score"] for p in found] == sorted((p["score"] for p in found), reverse=True)
        # A rare word decides although it means nothing to the model.
        assert (await names(service, person, "QX-9"))[0] == "en.txt"
        assert len(await search(service, person, "电池", limit=1)) == 1
        assert await search(service, person, "  ") == []

    async def test_others_are_not_found(self, service: Service, person: Person) -> None:
        await person.upload("mine.txt", CHINESE)
        stranger = await somebody(service.client)
        await stranger.upload("theirs.txt", ENGLISH)
        await standing(service, 2)
        assert await names(service, person, "battery") == ["mine.txt"]
        [owner] = await rows(service, f"SELECT owner_id FROM chat.sessions WHERE id = '{stranger.session_id}'")
        store = SessionDocuments(service.runtime.database, owner["owner_id"], service.runtime.embedder)
        assert await store.search(person.session_id, "battery") == []

    @pytest.mark.parametrize("fault", [Status(500), Status(429), Status(400), Body("<html>", "text/html")], ids=str)
    async def test_a_model_that_fails_leaves_full_text(
        self, service: Service, person: Person, models: ModelServer, fault: Any
    ) -> None:
        for name, content in (("中.txt", CHINESE), ("en.txt", ENGLISH)):
            await person.upload(name, content)
        await standing(service, 2)
        models.script("embed", fault)
        [only] = await search(service, person, "电池")
        assert only["filename"] == "中.txt"
        # The scores of several queries are compared, of which some may have had their vector.
        assert only["score"] == pytest.approx(1 / 61)

    async def test_a_model_that_hangs_does_not_hold_the_answer_up(
        self, service: Service, person: Person, models: ModelServer
    ) -> None:
        await person.upload("中.txt", CHINESE)
        await standing(service, 1)
        models.script("embed", Delay(60))
        began = time.monotonic()
        assert await names(service, person, "电池") == ["中.txt"]
        assert time.monotonic() - began < 8

    async def test_an_answer_cites_what_only_meaning_finds(
        self, service: Service, person: Person, scripted: ModelServer
    ) -> None:
        await person.upload("说明.txt", WARRANTY)
        await standing(service, 1)
        assert (await person.say("Can you repair it?", "deep")).status_code == 200
        assert "保修三年" in scripted.requests("content_generation")[0].user


class TestUpload:
    async def test_a_long_document_comes_in_batches(
        self, service: Service, person: Person, models: ModelServer, system: psycopg.Connection[Any]
    ) -> None:
        text = "\n\n".join(f"第{number}条。" + "这款耳机的电池很好。" * 75 for number in range(70))
        await person.upload("长.txt", text.encode())
        await standing(service, 1)
        [pieces] = await rows(service, "SELECT count(*) AS n FROM chat.document_chunks")
        [kept] = await rows(
            service, "SELECT count(*) AS n, min(dimensions) AS least, max(dimensions) AS most FROM chat_vectors.chunks"
        )
        assert kept == {"n": pieces["n"], "least": 5, "most": 5}
        sizes = [len(request.raw["texts"]) for request in models.requests("embed")]
        assert sum(sizes) == pieces["n"] > 64
        assert max(sizes) == 32
        used = await rows(service, "SELECT role, model, input_tokens, failed, user_id FROM platform.usage")
        [owner] = await rows(service, "SELECT owner_id FROM chat.sessions")
        assert [row["input_tokens"] for row in used] == [7 * size for size in sizes]
        assert {(row["role"], row["model"], row["failed"], row["user_id"]) for row in used} == {
            ("embed", "openai:embed", False, owner["owner_id"])
        }

    async def test_what_is_embedded_is_bounded(
        self, service: Service, person: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(vectors, "MOST_PIECES", 2)
        await person.upload("长.txt", "电池。".encode() * 2000)
        await standing(service, 1)
        [kept] = await rows(service, "SELECT count(*) AS n, max(position) AS last FROM chat_vectors.chunks")
        assert kept == {"n": 2, "last": 2}

    async def test_a_failure_is_noted_and_made_good(
        self, service: Service, person: Person, models: ModelServer
    ) -> None:
        models.script("embed", Status(500))
        assert (await person.upload("中.txt", CHINESE)).status_code == 200
        [failed] = await standing(service, 1, "failures = 1")
        assert (failed["error"], failed["is_done"], failed["waits"]) == ("InternalServerError", False, True)
        assert await names(service, person, "电池") == ["中.txt"]
        # Not at once again, and later a little less often.
        assert await sweep(service) == 0
        await rows(service, "UPDATE chat_vectors.documents SET due_at = now() RETURNING 1")
        assert await sweep(service) == 1
        [again] = await standing(service, 1, "failures = 2")
        assert again["waits"]
        models.script("embed", "proper")
        await rows(service, "UPDATE chat_vectors.documents SET due_at = now() RETURNING 1")
        assert await sweep(service) == 1
        [done] = await standing(service, 1)
        assert (done["failures"], done["error"]) == (0, None)
        assert await names(service, person, "charge") == ["中.txt"]

    async def test_a_document_that_fails_in_the_middle_goes_on_there(
        self, service: Service, person: Person, models: ModelServer
    ) -> None:
        models.script("embed", "proper", Status(500), "proper")
        await person.upload("长.txt", "\n\n".join("这款耳机的电池很好。" * 75 for _ in range(40)).encode())
        await standing(service, 1, "failures = 1")
        [kept] = await rows(service, "SELECT count(*) AS n FROM chat_vectors.chunks")
        assert kept == {"n": 32}
        await rows(service, "UPDATE chat_vectors.documents SET due_at = now() RETURNING 1")
        await sweep(service)
        await standing(service, 1)
        sent = [text for request in models.requests("embed") for text in request.raw["texts"]]
        [pieces] = await rows(service, "SELECT count(*) AS n FROM chat.document_chunks")
        # Of the pieces only those of the call that failed were sent twice.
        assert len(sent) == pieces["n"] + len(models.requests("embed")[1].raw["texts"])

    async def test_two_sweeps_share_the_work(self, service: Service, person: Person, models: ModelServer) -> None:
        models.script("embed", Status(500))
        for number in range(5):
            await person.upload(f"{number}.txt", CHINESE)
        await standing(service, 5, "failures = 1")
        models.script("embed", Delay(0.1))
        before = models.calls("embed")
        await rows(service, "UPDATE chat_vectors.documents SET due_at = now() RETURNING 1")
        done = await asyncio.gather(*(sweep(service) for _ in range(3)))
        assert (sum(done), models.calls("embed") - before) == (5, 5)

    async def test_a_sweep_that_fails_leaves_nothing_under_way(self, service: Service, person: Person) -> None:
        for number in range(3):
            await person.upload(f"{number}.txt", CHINESE)
        await standing(service, 3)
        embedder = Stumbling()
        with pytest.raises(RuntimeError):
            await embedding(service).sweep(cast(Embedder, embedder))
        assert (embedder.begun, embedder.under_way) == (3, 0)

    async def test_a_process_that_stops_gives_back_what_it_was_at(
        self, url: str, tmp_path: Path, models: ModelServer, clock: SetClock
    ) -> None:
        models.script("embed", Delay(60))
        async with service_on(url, tmp_path, models, clock) as service:
            await (await somebody(service.client)).upload("中.txt", CHINESE)
            await standing(service, 1, "due_at > now()")
            await until(lambda: models.calls("embed") == 1)
        models.script("embed", "proper")
        async with service_on(url, tmp_path, models, clock) as service:
            await standing(service, 1)

    async def test_whose_session_is_over_is_left_alone(
        self, service: Service, person: Person, models: ModelServer, clock: SetClock
    ) -> None:
        models.script("embed", Status(500))
        await person.upload("中.txt", CHINESE)
        await standing(service, 1, "failures = 1")
        await rows(service, "UPDATE chat_vectors.documents SET due_at = now() RETURNING 1")
        clock.move(seconds=3600)
        assert await sweep(service) == 0

    async def test_a_document_that_goes_takes_its_vectors_along(self, service: Service, person: Person) -> None:
        await person.upload("中.txt", CHINESE)
        await standing(service, 1)
        await rows(service, "DELETE FROM chat.sessions RETURNING 1")
        assert await rows(service, "SELECT FROM chat_vectors.chunks") == []
        assert await rows(service, "SELECT FROM chat_vectors.documents") == []


class TestModels:
    async def test_another_model_embeds_all_anew(
        self, url: str, tmp_path: Path, models: ModelServer, clock: SetClock
    ) -> None:
        async with service_on(url, tmp_path, models, clock) as service:
            person = await somebody(service.client)
            await person.upload("中.txt", CHINESE)
            await standing(service, 1)
        longer = [*meaning("电池"), 0.0, 0.0]
        models.script("other", Body(json.dumps({"data": [{"embedding": longer}], "usage": {"prompt_tokens": 1}})))
        async with service_on(url, tmp_path, models, clock, "other") as service:
            await standing(service, 1, "is_done AND model = 'openai:other'")
            [kept] = await rows(service, "SELECT model, dimensions FROM chat_vectors.chunks")
            assert kept == {"model": "openai:other", "dimensions": 7}
            assert await names(service, Person(service.client, *vars_of(person)), "charge") == ["中.txt"]

    async def test_vectors_of_another_model_are_not_compared(
        self, url: str, tmp_path: Path, models: ModelServer, clock: SetClock
    ) -> None:
        async with service_on(url, tmp_path, models, clock) as service:
            person = await somebody(service.client)
            await person.upload("中.txt", CHINESE)
            await standing(service, 1)
            models.script("embed", Status(500))
            await rows(service, "UPDATE chat_vectors.chunks SET model = 'openai:former' RETURNING 1")
            models.script("embed", "proper")
            assert await names(service, person, "charge") == []
            assert await names(service, person, "电池") == ["中.txt"]

    async def test_switched_off_again_full_text_is_left(
        self, url: str, tmp_path: Path, models: ModelServer, clock: SetClock
    ) -> None:
        async with service_on(url, tmp_path, models, clock) as service:
            person = await somebody(service.client)
            await person.upload("中.txt", CHINESE)
            await standing(service, 1)
        async with running_service(url, tmp_path, environment(models), clock=clock) as service:
            person = Person(service.client, *vars_of(person))
            asked = models.calls("embed")
            assert await names(service, person, "charge") == []
            assert await names(service, person, "电池") == ["中.txt"]
            assert (await person.upload("en.txt", ENGLISH)).status_code == 200
            assert models.calls("embed") == asked

    async def test_health_names_it(self, service: Service) -> None:
        body = (await service.client.get("/health")).json()
        assert body["dependencies"]["models"]["embed"] == "openai:embed"


def vars_of(person: Person) -> tuple[str, str, str]:
    UUID(person.session_id)
    return person.user_id, person.session_id, person.thread_id
