"""Who may do what: one table of all endpoints (E042–E047, G59, G60), which the tests walk.

A role has one scope: what it sees of others' things. The database decides the same once more, in its policies.
"""

from dataclasses import dataclass
from typing import Final, Literal

Role = Literal["student", "assistant_tech", "assistant_class", "admin"]
Scope = Literal["own", "bound", "class", "admin"]
Kind = Literal["instance", "session", "question", "student"]
"""What a request is about: a visitor instance, a session, a question, a student."""

SCOPE_OF: Final[dict[Role, Scope]] = {
    "student": "own",
    "assistant_tech": "bound",
    "assistant_class": "class",
    "admin": "admin",
}


@dataclass(frozen=True)
class Rule:
    """Who may call an endpoint: callers of these scopes, and on things that are in their scope.

    `about` is None where the answer is all that the caller sees, and of nothing else.
    """

    scopes: frozenset[Scope]
    about: Kind | None = None

    def admits(self, role: Role) -> bool:
        """Tell whether callers of a role may call it at all."""
        return SCOPE_OF[role] in self.scopes


def _rule(*scopes: Scope, about: Kind | None = None) -> Rule:
    return Rule(frozenset(scopes), about)


ANYBODY: Final = _rule("own", "bound", "class", "admin")
_WRITES_SESSION: Final = _rule("own", "admin", about="session")
_READS_SESSION: Final = _rule("own", "bound", "admin", about="session")
_READS_INSTANCE: Final = _rule("own", "bound", "admin", about="instance")

# Open to callers without a login.
OPEN: Final = frozenset({("POST", "/auth/request-code"), ("POST", "/auth/verify-code")})

RULES: Final[dict[tuple[str, str], Rule]] = {
    ("GET", "/me"): ANYBODY,
    ("POST", "/sessions/start"): _rule("own", "admin", about="instance"),
    ("POST", "/sessions/{sessionId}/messages"): _WRITES_SESSION,
    ("POST", "/sessions/{sessionId}/reply"): _WRITES_SESSION,
    ("POST", "/sessions/{sessionId}/finalize"): _WRITES_SESSION,
    ("GET", "/sessions/last"): _READS_INSTANCE,
    ("GET", "/sessions/list"): _READS_INSTANCE,
    ("GET", "/sessions/{sessionId}"): _READS_SESSION,
    ("POST", "/thought-records"): _WRITES_SESSION,
    ("GET", "/thought-records"): _READS_SESSION,
    ("POST", "/questions"): _WRITES_SESSION,
    ("GET", "/questions"): _READS_SESSION,
    ("POST", "/questions/{questionId}/answer"): _rule("bound", "admin", about="question"),
    ("POST", "/assistant/feedback"): _rule("bound", "admin", about="session"),
    ("GET", "/assistant/feedback"): _READS_SESSION,
    ("GET", "/assignments/list"): _READS_INSTANCE,
    ("GET", "/assistant/visitors"): _rule("bound", "admin"),
    ("GET", "/assistant/students"): _rule("bound", "admin", about="instance"),
    ("GET", "/assistant/students/{studentId}/sessions"): _rule("bound", "admin", about="student"),
    ("GET", "/assistant/students/{studentId}/history"): _rule("bound", "admin", about="student"),
    ("GET", "/assistant-class/students"): _rule("class", "admin"),
    ("GET", "/assistant-class/students/{studentId}/sessions"): _rule("class", "admin", about="student"),
    ("GET", "/assistant-class/compliance"): _rule("class", "admin"),
    ("POST", "/admin/assign-assistant"): _rule("admin"),
}
