import re
from collections.abc import Callable

import pytest

from nodes.counseling.visitors import SECTIONS, TEMPLATES, TemplateError, VisitorTemplate, load_all, numbered, parse

BODY = "\n".join(f"## {heading}\n{'很多内容。' * 6}" for heading in SECTIONS)
TEXT = f"---\nkey: 3\nname: 某人\nbrief: 一句话: 两句\n---\n{BODY}\n"


def test_there_are_ten_by_key() -> None:
    assert [template.key for template in TEMPLATES] == list(range(1, 11))
    assert load_all() == TEMPLATES


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.name)
class TestTemplate:
    def test_it_is_a_person_and_no_line(self, template: VisitorTemplate) -> None:
        assert len(template.core_persona) > 1000
        assert tuple(template.sections) == SECTIONS
        assert template.name in template.brief or re.match(r"\d\d 岁，", template.brief)
        assert len(template.brief) < 60

    def test_it_thinks_speaks_and_hides(self, template: VisitorTemplate) -> None:
        assert len(re.findall(r"^- “.+”$", template.sections["自动思维"], re.MULTILINE)) >= 4
        assert len(re.findall(r"^- “.+”$", template.sections["说话方式"], re.MULTILINE)) >= 5
        assert len(re.findall(r"^- ", template.sections["隐瞒的事"], re.MULTILINE)) >= 3
        assert len(re.findall(r"^- ", template.sections["中间信念"], re.MULTILINE)) >= 3

    def test_its_safety_is_told(self, template: VisitorTemplate) -> None:
        safety = template.sections["安全边界"]
        assert re.search(r"自杀|不想活|消失", safety)
        assert "“" in safety


def test_no_two_are_alike() -> None:
    for heading in SECTIONS:
        assert len({template.sections[heading] for template in TEMPLATES}) == len(TEMPLATES)
    openings = [sentence for t in TEMPLATES for sentence in re.findall(r"^- (“.+”)$", t.core_persona, re.MULTILINE)]
    assert len(set(openings)) == len(openings)


def test_a_file_is_read() -> None:
    template = parse("03.md", TEXT)
    assert (template.key, template.name, template.brief) == (3, "某人", "一句话: 两句")
    assert template.core_persona == BODY


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (lambda text: BODY, "front matter"),
        (lambda text: text.replace("name: 某人\n", ""), "lacks name"),
        (lambda text: text.replace("key: 3", "key: 4"), "its key is 4"),
        (lambda text: text.replace("key: 3", "key: three"), "its key is three"),
        (lambda text: text.replace("## 主诉", "## 诉求"), "sections"),
        (lambda text: text + "\n## 其他\n" + "内容" * 20, "sections"),
        (lambda text: text.replace("## 主诉\n" + "很多内容。" * 6, "## 主诉\n短"), "too short: 主诉"),
        (lambda text: text + "长" * 7000, "more than"),
    ],
)
def test_a_file_is_refused(change: Callable[[str], str], wrong: str) -> None:
    with pytest.raises(TemplateError, match=wrong):
        parse("03.md", change(TEXT))


def test_a_file_is_named_by_its_key() -> None:
    with pytest.raises(TemplateError, match=r"x\.md"):
        parse("x.md", TEXT)


def test_no_key_is_left_out_and_no_name_is_used_twice() -> None:
    one, two = (VisitorTemplate(key, name, "b", "p") for key, name in ((1, "甲"), (2, "乙")))
    assert numbered([two, one]) == (one, two)
    with pytest.raises(TemplateError, match="keys"):
        numbered([two])
    with pytest.raises(TemplateError, match="name"):
        numbered([one, VisitorTemplate(2, "甲", "b", "p")])
