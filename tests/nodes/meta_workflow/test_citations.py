"""Citations: written by models, checked by rules (G39)."""

import pytest

from nodes.meta_workflow.citations import cite, cited, unknown, without_unknown
from nodes.meta_workflow.facts import facts_about
from nodes.meta_workflow.records import Passage


def passage(filename: str, position: int) -> Passage:
    return Passage(document_id="1", filename=filename, position=position, text="", score=1.0)


GIVEN = [passage("手册.md", 2), passage("手册.md", 3), passage("a《b》\n.txt", 1)]


def test_a_filename_cannot_end_its_brackets() -> None:
    assert str(cite(GIVEN[2])) == "《a b .txt》第1段"
    assert str(cite(passage("》《", 1))) == "《文档》第1段"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("续航（《手册.md》第2段）。", ["《手册.md》第2段"]),
        ("《手册.md》第 2、3 段", ["《手册.md》第2段", "《手册.md》第3段"]),
        ("《红楼梦》第2回", []),
        ("《手册.md》第2段，《手册.md》第2段", ["《手册.md》第2段"]),
    ],
)
def test_what_is_cited(text: str, found: list[str]) -> None:
    assert [str(citation) for citation in cited(text)] == found


def test_what_nobody_gave_goes() -> None:
    text = "甲（《手册.md》第2段），乙（《手册.md》第9段），丙（《无》第1段），丁《a b .txt》第1段。"
    assert [str(citation) for citation in unknown(text, GIVEN)] == ["《手册.md》第9段", "《无》第1段"]
    assert without_unknown(text, GIVEN) == "甲（《手册.md》第2段），乙，丙，丁《a b .txt》第1段。"


def test_facts() -> None:
    facts = facts_about("露营 灯 Camp（《手册.md》第9段）", ["camp", "亲子"], GIVEN)
    assert facts == {
        "characters": 19,
        "length_ok": False,
        "tags_used": ["camp"],
        "tags_unused": ["亲子"],
        "citations": ["《手册.md》第9段"],
        "unknown_citations": ["《手册.md》第9段"],
        "passages_given": 3,
    }
