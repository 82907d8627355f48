"""The signature of Alibaba's RPC services against its published example, and the canonical query's rules (W19)."""

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.aliyun.signature import canonical_query, sign
from tests.kit.aliyun import expected_signature

PUBLISHED = {
    "AccessKeyId": "my_access_key_id",
    "Action": "CreateToken",
    "Format": "JSON",
    "RegionId": "cn-shanghai",
    "SignatureMethod": "HMAC-SHA1",
    "SignatureNonce": "b924c8c3-6d03-4c5d-ad36-d984d3116788",
    "SignatureVersion": "1.0",
    "Timestamp": "2019-04-18T08:32:31Z",
    "Version": "2019-02-28",
}
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def test_the_published_example() -> None:
    assert sign(PUBLISHED, "my_access_key_secret") == "hHq4yNsPitlfDJ2L0nQPdugdEzM="
    # Whatever order they are given in.
    assert sign(dict(reversed(PUBLISHED.items())), "my_access_key_secret") == "hHq4yNsPitlfDJ2L0nQPdugdEzM="


def test_the_canonical_query() -> None:
    assert canonical_query(PUBLISHED) == (
        "AccessKeyId=my_access_key_id&Action=CreateToken&Format=JSON&RegionId=cn-shanghai&SignatureMethod=HMAC-SHA1"
        "&SignatureNonce=b924c8c3-6d03-4c5d-ad36-d984d3116788&SignatureVersion=1.0"
        "&Timestamp=2019-04-18T08%3A32%3A31Z&Version=2019-02-28"
    )


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        (" ", "%20"),
        ("+", "%2B"),
        ("*", "%2A"),
        ("~", "~"),
        ("-_.", "-_."),
        ("/", "%2F"),
        ("=&", "%3D%26"),
        ("密", "%E5%AF%86"),
    ],
)
def test_what_is_encoded(text: str, encoded: str) -> None:
    assert canonical_query({"k": text}) == f"k={encoded}"


def test_names_are_in_the_order_of_their_bytes() -> None:
    assert canonical_query({"b": "1", "B": "2", "a": "3"}) == "B=2&a=3&b=1"


@given(st.dictionaries(TEXTS.filter(bool), TEXTS), TEXTS)
def test_it_is_what_the_other_side_recomputes(parameters: dict[str, str], secret: str) -> None:
    query = canonical_query(parameters)
    assert dict(parse_qsl(query, keep_blank_values=True)) == parameters
    assert sign(parameters, secret) == expected_signature(parameters, secret)
