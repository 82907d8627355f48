"""Whether a draft is revised: what people write, and what clients of the protocol send (G34)."""

import re
import unicodedata
from typing import Final, Literal

Decision = Literal["revise", "skip"]

_REVISE: Final = (
    "修订|修改|改|重写|优化|完善|是|对|好|行|要|需要|可以|同意|嗯|(?:按|照)(?:评估)?(?:的)?意见(?:修订|修改|改)|"
    "revise|approve|accept|yes|yep|y|ok|okay|sure|(?:yes )?please(?: do)?|go ahead|do it"
)
_SKIP: Final = (
    "不用|不必|不要|不需要|不|否|无需|别|别改|不改|不修订|不修改|不用改|不用修订|不用修改|不需要修订|不需要修改|"
    "跳过|算了|就这样|这样就好|可以了|够了|没必要|"
    "skip|reject|ignore|no|nope|n|no thanks|no need|leave it|keep it|as is"
)
# Politeness and particles around the word; a message that says more than this is a message, not a decision.
_BEFORE: Final = r"(?:(?:那|那就|就|麻烦你?|请你?|帮我|再|好的?|嗯+|谢谢|ok)\s?){0,3}"
_AFTER: Final = (
    r"(?:一下|一次|一版|吧|的|了|啊|呀|哦|啦|呢|它|这(?:个|份|稿)|谢谢|多谢|thanks|thank you|please|it|\s){0,4}"
)
_WORDS: Final[tuple[tuple[Decision, re.Pattern[str]], ...]] = (
    ("skip", re.compile(rf"{_BEFORE}(?:(?:{_SKIP})(?:了|的)?\s?){{1,2}}{_AFTER}")),
    ("revise", re.compile(rf"{_BEFORE}(?:(?:{_REVISE})的?\s?){{1,2}}{_AFTER}")),
)
_TYPES: Final[dict[str, Decision]] = {"approve": "revise", "accept": "revise", "reject": "skip", "ignore": "skip"}
_PUNCTUATION: Final = re.compile(r"[\s,，.。!！、~～;；:：'\"“”‘’「」()（）]+")
_LONGEST: Final = 40


def decision_of(text: str) -> Decision | None:
    """Read a person's message as a decision; None when it is anything else, a question or a new task for example."""
    if len(text) > _LONGEST:
        return None
    plain = _PUNCTUATION.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()
    return next((decision for decision, words in _WORDS if words.fullmatch(plain)), None)


def decision_in(answer: object) -> Decision | None:
    """Read what an interrupt was resumed with; None when it is no decision.

    Understood are `{"decisions": [{"type": "approve" | "reject"}]}`, `[{"type": "accept" | "ignore"}]`,
    `{"type": …}` with any of these, and the words themselves.
    """
    match answer:
        case str():
            return decision_of(answer)
        case {"decisions": [decision]}:
            return decision_in(decision)
        case [decision]:
            return decision_in(decision)
        case {"type": str(kind)} if kind in _TYPES:
            return _TYPES[kind]
        case {"type": "response", "args": str(words)}:
            return decision_of(words)
    return None
