"""What Hypothesis makes requests of: mostly wrong, sometimes almost right."""

import json
import string
from urllib.parse import quote_from_bytes

from hypothesis import strategies as st

MEBIBYTE = 1024 * 1024

# A server hands on no line end and no NUL: they end a header, or the connection.
header_values = st.binary(max_size=200).filter(lambda value: not set(value) & set(b"\r\n\0"))
long_header_values = st.integers(200, 10_000).map(lambda length: b"x" * length)
accepted = st.sampled_from([b"text/html", b"application/json"])

_plain = "".join(sorted(set(string.printable) - set(string.whitespace) - set("?#")))
segments = st.one_of(
    st.text(max_size=20).map(lambda text: quote_from_bytes(text.encode())),
    st.binary(max_size=20).map(quote_from_bytes),
    st.text(_plain, max_size=20),
    st.sampled_from(["..", ".", "%2e%2e", "%2F", "%00", "%", "%zz", "%C0%AF", "", "a" * 9000]),
).map(str.encode)
paths = st.lists(segments, max_size=4).map(b"/".join)

_names = st.sampled_from([b"state", b"code", b"error", b"code_challenge", b"code_challenge_method"])
_pairs = st.tuples(_names, segments).map(b"=".join)
_pieces = st.one_of(segments, _names, st.sampled_from([b"=", b"&", b"+", b";"]))
queries = st.one_of(
    st.lists(_pieces, max_size=9).map(b"".join), st.lists(_pairs, max_size=6).map(b"&".join)
)

texts = st.text(st.characters(), min_size=1, max_size=30)
almost_ids = st.tuples(st.sampled_from(["US", "de", "Ta", "XX"]), st.integers(10_000)).map(
    lambda parts: f"{parts[0]}{parts[1]}"
)
almost_codes = st.text("0Oo1lLiIuUZz9 -ßıſ０", min_size=8, max_size=9)

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
documents = st.recursive(
    scalars | st.text(st.characters(), max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=5,
)
_argument_names = ("title", "description", "points", "project", "code", "formatted_id", "\ud800")
_arguments = st.fixed_dictionaries({}, optional=dict.fromkeys(_argument_names, documents))
_numbers = ["1e999", "-1e999", "NaN", "-Infinity", "9" * 5000, "1." + "0" * 5000, "01", "0x1"]
_openings = st.sampled_from([b"[", b'{"title":', b'{"title":['])
bodies = st.one_of(
    st.binary(max_size=50),
    st.one_of(documents, _arguments).map(json.dumps).map(str.encode),
    st.sampled_from(_numbers).map(lambda number: f'{{"title":"x","points":{number}}}'.encode()),
    st.tuples(_openings, st.integers(1, 100_000)).map(
        lambda nested: (nested[0] * nested[1])[:MEBIBYTE]
    ),
    st.sampled_from(
        [
            b'{"title": "a", "title": 5}',
            b'\xef\xbb\xbf{"title": 5}',
            b'{"title": "\\ud800"}',
            b'{"title": "\xff"}',
            b'{"title": "\xed\xa0\x80"}',
            '{"title": 5}'.encode("utf-16"),
            b'{"title": "x"} {}',
            b"\x00",
        ]
    ),
)
