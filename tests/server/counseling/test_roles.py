"""Who may do what (T23, G59, G60): every endpoint of the table × everybody, over HTTP."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import httpx
from fastapi.routing import APIRoute

from server.api import ROUTERS
from server.counseling.members import current_member
from server.counseling.scopes import OPEN, RULES, SCOPE_OF, Rule
from server.families import COUNSELING, family_of
from tests.server.counseling.conftest import School, client_of, execute, login, refusal, rows, unknown

ROLE_OF: Final = {
    "s1": "student",
    "s2": "student",
    "ta1": "assistant_tech",
    "ta2": "assistant_tech",
    "ca3": "assistant_class",
    "ad": "admin",
}
# Whom everything in the matrix belongs to: the first student, of class 3, bound to the first assistant.
STANDING: Final = {"s1": "own", "ta1": "bound", "ca3": "class", "ad": "admin"}
ROUTES = [
    route
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute) and family_of(route.path) is COUNSELING
]


@dataclass
class Things:
    """What the first student has."""

    session: str
    question: str


async def things_of(school: School) -> Things:
    session = await school.s1.session()
    await school.s1.say(session)
    asked = await school.s1.client.post("/questions", json={"sessionId": session, "content": "为什么？"})
    return Things(session, asked.json()["id"])


def request(school: School, things: Things, method: str, path: str) -> tuple[str, dict[str, Any]]:
    """The call of an endpoint that is about the first student's things."""
    session, instance = {"sessionId": things.session}, {"visitorInstanceId": school.s1.instance}
    thought = {"triggeringEvent": "a", "thoughtsAndBeliefs": "b", "consequences": "c"}
    assign = {"assistantEmail": "ta1@example.edu", "studentEmail": "s1@example.edu", **instance}
    bodies: Mapping[str, dict[str, Any]] = {
        "/sessions/start": instance,
        "/sessions/{sessionId}/messages": {"speaker": "user", "content": "x"},
        "/sessions/{sessionId}/finalize": {},
        "/thought-records": session | thought,
        "/questions": session | {"content": "x"},
        "/questions/{questionId}/answer": {"answer": "x"},
        "/assistant/feedback": session | {"content": "x"},
        "/admin/assign-assistant": assign,
    }
    queries = {
        **dict.fromkeys(("/sessions/last", "/sessions/list", "/assignments/list", "/assistant/students"), instance),
        **dict.fromkeys(("/thought-records", "/questions", "/assistant/feedback"), session),
    }
    filled = path.format(sessionId=things.session, questionId=things.question, studentId=school.s1.id)
    if method == "POST":
        return filled, {"json": bodies[path]} if path in bodies else {}
    return filled, {"params": queries.get(path, {})}


def allowed(rule: Rule, who: str) -> bool:
    """G59, G60: the role may call it, and where it is about something, that is in the caller's scope."""
    scope = SCOPE_OF[ROLE_OF[who]]  # type: ignore[index]
    return scope in rule.scopes and (rule.about is None or STANDING.get(who) == scope)


def test_the_table_names_every_endpoint_and_no_other() -> None:
    there = {(method, route.path) for route in ROUTES for method in route.methods or ()}
    assert there == set(RULES) | OPEN
    for route in ROUTES:
        asks = {dependency.call for dependency in route.dependant.dependencies}
        assert (current_member in asks) is (not {(m, route.path) for m in route.methods or ()} <= OPEN), route.path


async def test_every_endpoint_for_everybody(school: School) -> None:
    things = await things_of(school)
    # What changes the scene comes last.
    order = sorted(RULES, key=lambda key: ("finalize" in key[1], "assign" in key[1]))
    for method, path in order:
        rule = RULES[method, path]
        url, more = request(school, things, method, path)
        nobody = await school.nobody.request(method, url, **more)
        assert refusal(nobody) == (401, "unauthorized"), path
        # Who is refused comes first: a refusal must have changed nothing.
        for who in sorted(ROLE_OF, key=lambda name: allowed(rule, name)):
            response = await school.people[who].client.request(method, url, **more)
            if allowed(rule, who):
                assert response.status_code == 200, f"{who} {method} {path}: {response.text}"
            else:
                assert refusal(response) == (403, "forbidden"), f"{who} {method} {path}"
    [counts] = await rows(
        school.service,
        "SELECT (SELECT count(*) FROM counseling.thought_records) AS t,"
        " (SELECT count(*) FROM counseling.questions) AS q,"
        " (SELECT count(*) FROM counseling.assistant_feedback) AS f, (SELECT count(*) FROM counseling.sessions) AS s",
    )
    # The student and the administrator; for feedback the assistant and the administrator.
    assert counts == {"t": 2, "q": 3, "f": 2, "s": 3}


async def test_what_is_unknown_is_404_for_whoever_may_call(school: School) -> None:
    things = Things(unknown(), unknown())
    school.s1.instance, student, school.s1.id = unknown(), school.s1.id, unknown()
    for (method, path), rule in RULES.items():
        if rule.about is None or (method, path) == ("POST", "/admin/assign-assistant"):
            continue
        url, more = request(school, things, method, path)
        for who in ROLE_OF:
            response = await school.people[who].client.request(method, url, **more)
            expected = (404, "not_found") if rule.admits(ROLE_OF[who]) else (403, "forbidden")  # type: ignore[arg-type]
            assert refusal(response) == expected, f"{who} {method} {path}"
    school.s1.id = student


async def test_an_assistant_is_no_student(school: School) -> None:
    for path in ("sessions", "history"):
        response = await school.ad.client.get(f"/assistant/students/{school.ta1.id}/{path}")
        assert refusal(response) == (404, "not_found")


async def test_t23_lists(school: School) -> None:
    things = await things_of(school)
    await school.s1.hand_in(things.session)
    feedback = {"sessionId": things.session, "content": "你的三联表识别很到位"}
    made = await school.ta1.client.post("/assistant/feedback", json=feedback)
    assert list(made.json()) == ["id"]
    listed = await school.s1.client.get("/assignments/list", params={"visitorInstanceId": school.s1.instance})
    assert listed.json() == {
        "items": [
            {
                "sessionId": things.session,
                "sessionNumber": 1,
                "createdAt": "2025-09-23T02:00:00.000Z",
                "homework": [],
                "thoughtRecordCount": 1,
                "questionCount": 1,
                "feedbackCount": 1,
            }
        ]
    }
    of_session = {"sessionId": things.session}
    [record] = (await school.ta1.client.get("/thought-records", params=of_session)).json()["items"]
    assert list(record) == ["id", "sessionId", "triggeringEvent", "thoughtsAndBeliefs", "consequences"]
    [question] = (await school.ta1.client.get("/questions", params=of_session)).json()["items"]
    assert list(question) == ["id", "sessionId", "studentId", "content", "status"]
    assert (question["status"], question["studentId"]) == ("open", school.s1.id)
    [given] = (await school.s1.client.get("/assistant/feedback", params=of_session)).json()["items"]
    assert list(given) == ["id", "sessionId", "assistantId", "content"]
    assert given["assistantId"] == school.ta1.id
    answered = await school.ta1.client.post(f"/questions/{things.question}/answer", json={"answer": "看下一句。"})
    assert answered.json() == {"ok": True}
    [question] = (await school.s1.client.get("/questions", params=of_session)).json()["items"]
    assert list(question) == ["id", "sessionId", "studentId", "content", "status", "answer"]
    assert (question["status"], question["answer"]) == ("answered", "看下一句。")


async def test_people_of_a_class_and_of_an_assistant(school: School) -> None:
    student = {"studentId": school.s1.id, "name": "学生一", "email": "s1@example.edu", "userId": "1001"}
    assert (await school.ca3.client.get("/assistant-class/students")).json() == {"items": [student]}
    assert (await school.ta1.client.get("/assistant/students")).json() == {"items": [student]}
    both = (await school.ad.client.get("/assistant-class/students")).json()["items"]
    assert [one["userId"] for one in both] == ["1001", "1002"]
    only = (await school.ad.client.get("/assistant-class/students", params={"classId": 4})).json()["items"]
    assert [list(one) for one in only] == [["studentId", "name", "email", "userId"]]
    assert only[0]["userId"] == "1002"
    assert refusal(await school.ca3.client.get("/assistant-class/students", params={"classId": 4}))[0] == 403
    visitor = {
        "visitorInstanceId": school.s1.instance,
        "templateKey": "1",
        "studentId": school.s1.id,
        "name": "学生一",
    }
    assert (await school.ta1.client.get("/assistant/visitors")).json() == {"items": [visitor]}
    assert len((await school.ad.client.get("/assistant/visitors")).json()["items"]) == 2


async def test_a_class_assistant_without_a_class_sees_nobody(school: School) -> None:
    """G57."""
    await execute(school.service, "UPDATE counseling.users SET class_id = NULL WHERE email = 'ca3@example.edu'")
    for path in ("students", "compliance"):
        assert (await school.ca3.client.get(f"/assistant-class/{path}")).json() == {"items": []}


async def test_sessions_of_a_student_and_their_history(school: School) -> None:
    session = (await things_of(school)).session
    await school.s1.finalize(session)
    at = "2025-09-23T02:00:00.000Z"
    item = {"sessionId": session, "sessionNumber": 1, "createdAt": at}
    for person, path in ((school.ca3, "assistant-class"), (school.ta1, "assistant")):
        response = await person.client.get(f"/{path}/students/{school.s1.id}/sessions")
        assert response.json() == {"items": [item]}
        assert list(response.json()["items"][0]) == list(item)
    history = (await school.ta1.client.get(f"/assistant/students/{school.s1.id}/history")).json()
    assert list(history) == ["diary", "activity", "homework", "ltm"]
    head = ["sessionNumber", "sessionId", "createdAt"]
    assert list(history["diary"][0]) == [*head, "sessionDiary"]
    assert list(history["activity"][0]) == [*head, "preSessionActivity"]
    assert history["activity"][0]["preSessionActivity"]["summary"] == "这周去了一次食堂。"
    assert list(history["homework"][0]) == [*head, "homework"]
    assert list(history["ltm"][0]) == ["createdAt", "content"]
    assert "thisweek_focus" in history["ltm"][0]["content"]


async def assign(school: School, **changes: str) -> httpx.Response:
    body = {
        "assistantEmail": "ta2@example.edu",
        "studentEmail": "s1@example.edu",
        "visitorInstanceId": school.s1.instance,
    }
    return await school.ad.client.post("/admin/assign-assistant", json=body | changes)


async def test_a_new_assistant_takes_the_place_of_the_old_one(school: School) -> None:
    """With the tokens that both have; repeatable (G63)."""
    session = await school.s1.session()
    for _ in range(2):
        assert (await assign(school, assistantEmail=" TA2@Example.edu ")).json() == {"ok": True}
    assert refusal(await school.ta1.client.get(f"/sessions/{session}")) == (403, "forbidden")
    assert (await school.ta2.client.get(f"/sessions/{session}")).status_code == 200
    assert len((await school.ta2.client.get("/assistant/students")).json()["items"]) == 2
    assert (await school.ta1.client.get("/assistant/students")).json() == {"items": []}


async def test_assignments_that_cannot_be(school: School) -> None:
    assert refusal(await assign(school, assistantEmail="nobody@example.edu"))[0] == 404
    assert refusal(await assign(school, studentEmail="nobody@example.edu"))[0] == 404
    assert refusal(await assign(school, visitorInstanceId=unknown()))[0] == 404
    assert refusal(await assign(school, visitorInstanceId="nonsense"))[0] == 404
    assert refusal(await assign(school, assistantEmail="s2@example.edu"))[0] == 400
    assert refusal(await assign(school, studentEmail="ta1@example.edu"))[0] == 400
    assert refusal(await assign(school, visitorInstanceId=school.s2.instance))[0] == 400
    assert refusal(await assign(school, assistantEmail="ca3@example.edu"))[0] == 400
    assert (await school.ta1.client.get("/assistant/students")).json()["items"] != []


async def test_a_phone_login_is_none_here(school: School) -> None:
    """K18: 401 on every path of the family."""
    phone = "13800000001"
    sent = await school.nobody.post("/api/v1/auth/send-code", json={"phone": phone})
    assert sent.status_code == 200
    code = (await _last_code(school)).pop()
    token = (await school.nobody.post("/api/v1/auth/login", json={"phone": phone, "code": code})).json()["data"][
        "token"
    ]
    client = client_of(school.service, token)
    things = Things(unknown(), unknown())
    for method, path in RULES:
        url, more = request(school, things, method, path)
        assert refusal(await client.request(method, url, **more)) == (401, "unauthorized"), path


async def _last_code(school: School) -> list[str]:
    sender: Any = school.service.client._transport.app.state.identity.sender  # type: ignore[attr-defined]
    return [sender.last_code]


async def test_a_key_acts_as_its_user(school: School) -> None:
    """E006."""
    from server.auth import api_keys  # noqa: PLC0415 - used here alone

    async with school.service.runtime.system.transaction() as session:
        key = await api_keys.create(session, "test", UUID(school.ta1.id))
        other = await api_keys.create(session, "test")
    client = httpx.AsyncClient(transport=school.nobody._transport, base_url="http://test", headers={"x-api-key": key})
    assert (await client.get("/me")).json()["role"] == "assistant_tech"
    client.headers["x-api-key"] = other
    assert refusal(await client.get("/me")) == (401, "unauthorized")


async def test_a_role_that_is_taken_away_is_gone_at_once(school: School) -> None:
    """K18: role and status are the database's, not the token's."""
    await execute(school.service, "UPDATE counseling.users SET role = 'assistant_tech' WHERE email = 'ad@example.edu'")
    assert refusal(await school.ad.client.get("/assistant-class/students")) == (403, "forbidden")
    assert (await school.ad.client.get("/me")).json()["role"] == "assistant_tech"


async def test_who_one_is(school: School, sender: Any) -> None:
    me = (await school.s1.client.get("/me")).json()
    assert me == {
        "userId": school.s1.id,
        "email": "s1@example.edu",
        "role": "student",
        "visitorInstanceIds": [school.s1.instance],
    }
    assert list(me) == ["userId", "email", "role", "visitorInstanceIds"]
    assert list((await school.ta1.client.get("/me")).json()) == ["userId", "email", "role"]
    school.clock.move(minutes=2)
    again = await login(school.service, sender, "s1@example.edu")
    assert again.id == school.s1.id


async def test_nobody_looks_into_what_his_visitor_hides(school: School) -> None:
    """The state of a student's own run holds the persona: the LangGraph protocol is not for him."""
    session = (await things_of(school)).session
    await school.s1.finalize(session)
    [row] = await rows(school.service, "SELECT id FROM platform.threads")
    for who in ("s1", "ta1", "ca3"):
        client = school.people[who].client
        for response in (
            await client.get(f"/threads/{row['id']}/state"),
            await client.post("/threads/search", json={}),
            await client.post("/threads", json={}),
            await client.post("/runs/wait", json={"assistant_id": "counseling_reply", "input": {}}),
            await client.post(f"/threads/{row['id']}/runs", json={"assistant_id": "counseling_finalize"}),
        ):
            assert response.status_code == 403, f"{who} {response.request.url}"
    assert (await school.ad.client.post("/threads/search", json={})).json() == []
