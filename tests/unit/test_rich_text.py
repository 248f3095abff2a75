"""Rally's HTML as a model reads it, and Markdown as Rally keeps it."""

import re
from html import escape, unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from rally_mcp.errors import InvalidInput
from rally_mcp.rally.rich_text import html_to_markdown, markdown_to_html

ELEMENTS = [
    *("p", "div", "span", "b", "i", "s", "code", "pre", "ul", "ol", "li", "h1", "blockquote"),
    *("table", "tr", "td", "th", "font", "caption", "script", "style", "svg", "textarea"),
    'a href="https://example.com/a_b"',
    'a href="javascript:alert(1)"',
    'a href="https://example.com/) ![x](https://evil.test/p.png"',
    'span style="display:none"',
]
PIECES = [
    *("x", " ", "\n", "!", "[", "]", "(", ")", ":", "`", "```", "*", "_", "~~", "\\", "|", "#"),
    *("-", "1.", ">", "&lt;", "&gt;", "&amp;", "&lt;b&gt;", "&lt;!--", "![x]", "(//evil.test/)"),
    *("[x]: https://evil.test/", "![x](https://evil.test/p.png)", "---", "<br>", "<hr>", "&#13;"),
    *("<!--", "-->", "<p", "</p>", "</b>", "</a>", "</td>", "\x00", "\ud800", "\u00a0"),
    '<img src="https://evil.test/p.png" alt="![x](https://evil.test/p.png)">',
    '<img src="/slm/attachment/1/x.png" alt="](y">',
]
ALLOWED_TAGS = {
    *("p", "br", "hr", "b", "i", "u", "s", "a", "img", "ul", "ol", "li", "blockquote", "pre"),
    *("code", "h1", "h2", "h3", "h4", "h5", "h6"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}


def in_element(children):
    return st.builds(
        lambda tag, inner: f"<{tag}>{inner}</{tag.split()[0]}>",
        st.sampled_from(ELEMENTS),
        st.lists(children, max_size=4).map("".join),
    )


HTML = st.lists(st.recursive(st.sampled_from(PIECES), in_element, max_leaves=12), max_size=6).map(
    "".join
)
SIGNS = st.text(alphabet="ab 1.)(][!*_`~#>+-=|:;&<\\/\"'\n", max_size=40)


def tokens(markdown):
    """Every token of the Markdown, as a renderer that lets raw HTML through reads it."""
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    for block in parser.parse(markdown):
        yield block
        yield from block.children or []


def drawn(html):
    """The text of the HTML, with white space as a browser draws it."""
    return " ".join(unescape(re.sub(r"<[^>]*>", "", html)).split())


class TestReading:
    @pytest.mark.parametrize(
        ("html", "markdown"),
        [
            ("<p>one</p><p>two</p>", "one\n\ntwo"),
            ("<div>one</div><div><br></div><div>two<br>three</div>", "one\n\ntwo\nthree"),
            ("a <strong>b</strong> <em>i</em> <strike>s</strike>", "a **b** *i* ~~s~~"),
            ("<h2>Title</h2>text", "## Title\n\ntext"),
            ("<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>", "- a\n  - b\n- c"),
            ('<ol start="3"><li>a<li>b</ol>', "3. a\n4. b"),
            ("<blockquote><p>a</p><p>b</p></blockquote>", "> a\n>\n> b"),
            ("<pre>if a[0]:\n    b(*c)</pre>", "```\nif a[0]:\n    b(*c)\n```"),
            ("run <code>a_*b`c</code>", "run `` a_*b`c ``"),
            (
                "<table><tr><td>a</td><td>b|c</td></tr><tr><td>1</td><td>2</td></tr></table>",
                "| a | b\\|c |\n| --- | --- |\n| 1 | 2 |",
            ),
            ("<table><caption>T</caption><tr><th>a</th></tr></table>", "T\n\n| a |\n| --- |"),
            ('<a href="https://example.com/a_b">here</a>', "[here](https://example.com/a_b)"),
            (
                '<a href="https://example.com/a_b">https://example.com/a_b</a>',
                "<https://example.com/a_b>",
            ),
            ('<a href="mailto:ann@example.com">Ann</a>', "[Ann](mailto:ann@example.com)"),
            ("<b>a<br></b>b", "**a**\nb"),
            ("<table><tr><th><pre>a|b</pre></th></tr></table>", "| `a\\|b` |\n| --- |"),
            ('Look!<a href="https://example.com">x</a>', "Look\\![x](https://example.com)"),
            ("<b>a</b><b>b</b>", "**ab**"),
            ("", ""),
        ],
    )
    def test_each_element_becomes_its_markdown(self, html, markdown):
        assert markdown == html_to_markdown(html)

    def test_entities_and_white_space_are_those_a_person_sees(self):
        assert html_to_markdown("<p>a &amp;&nbsp;\n\n  b &#233;&nbsp;c</p>") == "a & b é c"

    def test_text_that_looks_like_markdown_is_escaped(self):
        html = "<p># a<br>- b<br>1. c<br>__init__ snake_case 2*3 [UI] x[0](y)</p>"

        expected = "\\# a\n\\- b\n1\\. c\n\\_\\_init\\_\\_ snake_case 2\\*3 [UI] x[0\\](y)"
        assert expected == html_to_markdown(html)

    @pytest.mark.parametrize(
        "html",
        [
            '<p style="display:none">secret</p>shown',
            '<p style="DISPLAY : None !important">secret</p>shown',
            '<p style="d\\69splay:/**/none">secret</p>shown',
            '<p style="display:none">secret<p>shown',
            "<p hidden>secret</p>shown",
            '<span style="opacity:0.0">secret</span>shown',
            '<span style="font-size:0">secret</span>shown',
            '<font style="font-size:1px">secret</font>shown',
            '<unknown-element style="font-size:0px">secret</unknown-element>shown',
            '<p style="visibility:hidden">secret<u style="visibility:visible">shown</u></p>',
            '<span style="color:#FFF">secret</span>shown',
            '<font color="white">secret</font>shown',
            '<p style="color:red;background:red">secret</p>shown',
            '<img src="x" alt="secret" style="display:none">shown',
            '<img src="https://example.com/t.gif" alt="secret" width="1" height="1">shown',
            "<script>secret</script><style>secret</style><title>secret</title>shown",
            "<!-- secret --><template>secret</template><svg><text>secret</text></svg>shown",
        ],
    )
    def test_what_a_person_does_not_see_is_left_out(self, html):
        assert html_to_markdown(html) == "shown"

    def test_white_text_on_a_dark_ground_is_seen(self):
        html = '<div style="background:#1e1e1e"><span style="color:white">shown</span></div>'

        assert html_to_markdown(html) == "shown"

    @pytest.mark.parametrize(
        "address",
        ["javascript:alert(1)", "java\nscript:alert(1)", "data:text/html,x", "//evil.test/", "#x"],
    )
    def test_a_link_of_another_scheme_is_its_text(self, address):
        assert html_to_markdown(f'<a href="{escape(address)}">here</a>') == "here"

    def test_a_foreign_image_is_its_alternative_text(self):
        assert html_to_markdown('<img src="https://evil.test/p.png" alt="a chart">') == "a chart"

    def test_an_attachment_of_rally_stays_an_image(self):
        html = '<img src="/slm/attachment/12/a b(1).png" alt="shot">'

        assert html_to_markdown(html) == "![shot](/slm/attachment/12/a%20b%281%29.png)"

    @pytest.mark.parametrize(
        "path", ["/slm/attachment/12/../../x", "/slm/attachment/12/..", "/slm/x"]
    )
    def test_another_path_of_rally_is_no_attachment(self, path):
        assert html_to_markdown(f'<img src="{path}" alt="alt">') == "alt"

    def test_a_fence_in_preformatted_text_does_not_end_it(self):
        found = list(tokens(html_to_markdown("<pre>a\n```\n![x](https://evil.test/p.png)</pre>")))

        assert [token.type for token in found] == ["fence"]

    @settings(deadline=None)
    @given(HTML)
    def test_no_html_becomes_markdown_that_loads_from_elsewhere_or_runs(self, html):
        found = list(tokens(html_to_markdown(html)))

        images = [str(token.attrs["src"]) for token in found if token.type == "image"]
        assert all(source.startswith("/slm/attachment/1/") for source in images)
        assert not [token for token in found if token.type in {"html_block", "html_inline"}]

    @settings(deadline=None)
    @given(HTML)
    def test_no_html_becomes_a_link_that_was_not_one(self, html):
        found = [token for token in tokens(html_to_markdown(html)) if token.type == "link_open"]

        assert all(str(link.attrs["href"]).startswith("https://example.com/") for link in found)

    @settings(deadline=None)
    @given(HTML)
    def test_no_html_leaves_more_than_two_blank_lines(self, html):
        assert "\n\n\n\n" not in html_to_markdown(html)


class TestHugeInput:
    def test_thousands_of_nested_elements_keep_their_text(self):
        markdown = html_to_markdown("<div>" * 7_000 + "x" + "</div>" * 800)

        assert markdown == "x"

    def test_a_megabyte_is_read_as_far_as_the_limit_and_says_so(self):
        markdown = html_to_markdown("<ul><li>x" * 110_000)

        assert markdown.endswith("\n\n[950,000 more characters of HTML were left out]")

    def test_elements_left_open_do_not_multiply(self):
        left_open = "".join(f"<b id={number}>" for number in range(1_000))

        markdown = html_to_markdown(f"<p>{left_open}</p>{'<p>x' * 5_000}")

        assert len(markdown) < 40_000

    def test_thousands_of_list_items_keep_their_text(self):
        markdown = html_to_markdown("<ol>" + "<li>x</li>" * 3_000 + "</ol>")

        assert markdown.count("x") == 3_000

    def test_markdown_that_rally_could_not_keep_is_refused(self):
        with pytest.raises(InvalidInput):
            markdown_to_html("x" * 32_769)


class TestWriting:
    @pytest.mark.parametrize(
        ("markdown", "html"),
        [
            ("**b** *i* ~~s~~ `c`", "<p><b>b</b> <i>i</i> <s>s</s> <code>c</code></p>"),
            ("one\ntwo", "<p>one<br>\ntwo</p>"),
            ("# T", "<h1>T</h1>"),
            ("3. a", '<ol start="3">\n<li>a</li>\n</ol>'),
            ("```py\na < b\n```", "<pre><code>a &lt; b\n</code></pre>"),
            ("[a](https://example.com)", '<p><a href="https://example.com">a</a></p>'),
            ("![a](/slm/attachment/1/x.png)", '<p><img src="/slm/attachment/1/x.png" alt="a"></p>'),
            ("![a *b*](https://e.test/p.png)", '<p><a href="https://e.test/p.png">a b</a></p>'),
            ("<script>x</script>", "<p>&lt;script&gt;x&lt;/script&gt;</p>"),
            ("", ""),
        ],
    )
    def test_each_sign_becomes_its_element(self, markdown, html):
        assert html == markdown_to_html(markdown)

    def test_a_table_is_a_table(self):
        html = markdown_to_html("| a | b |\n|---|--:|\n| 1 | 2 |")

        assert drawn(html) == "a b 1 2"
        assert set(re.findall(r"<(\w+)>", html)) == {"table", "thead", "tbody", "tr", "th", "td"}

    @pytest.mark.parametrize(
        "address", ["javascript:alert(1)", "data:text/html,x", "//evil.test/", "/other"]
    )
    def test_a_link_of_another_scheme_goes_nowhere(self, address):
        assert "href" not in markdown_to_html(f"[a]({address})")

    @settings(deadline=None)
    @given(st.text(max_size=200) | SIGNS)
    def test_any_markdown_becomes_allowed_tags_only(self, markdown):
        tags = set(re.findall(r"<([a-z0-9]+)", markdown_to_html(markdown)))

        assert tags <= ALLOWED_TAGS


class TestBothWays:
    @settings(deadline=None)
    @given(SIGNS)
    def test_any_plain_text_comes_back_as_it_was(self, text):
        html = f"<p>{escape(text)}</p>"

        written = markdown_to_html(html_to_markdown(html))

        assert drawn(html) == drawn(written)
        assert set(re.findall(r"<(\w+)", written)) <= {"p"}

    @pytest.mark.parametrize(
        "markdown",
        [
            "# T\n\none **b**\ntwo",
            "- a\n  - b\n- c",
            "3. a\n4. b",
            "```\na = b[0](*c)\n```",
            "| a | b |\n| --- | --- |\n| 1 | 2 |",
            "![a](/slm/attachment/1/x.png) [b](/slm/attachment/2/y.txt) <https://example.com/a_b>",
            "> a\n\n---\n\nb",
        ],
    )
    def test_markdown_that_was_written_is_read_again(self, markdown):
        assert markdown == html_to_markdown(markdown_to_html(markdown))
