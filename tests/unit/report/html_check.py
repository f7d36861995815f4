"""A strict reader of the page: it fails where a browser would silently mend."""

import re
from html.parser import HTMLParser

VOID = {"meta", "wbr", "br", "path", "use", "rect"}
FORBIDDEN = {"script", "img", "iframe", "object", "embed", "link", "base", "form", "foreignobject", "audio", "video"}


class PageReader(HTMLParser):
    """Reads a page; `words` is its text, `ids` its ids."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.text: list[str] = []
        self.tags: list[str] = []
        self.references: list[str] = []
        self.feed(page)
        self.close()
        assert not self.open, f"never closed: {self.open}"
        assert len(self.ids) == len(set(self.ids)), "ids are unique"
        assert {r for r in self.references if r.startswith("#")} <= {f"#{i}" for i in self.ids}

    @property
    def words(self) -> str:
        return " ".join("".join(self.text).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in FORBIDDEN, tag
        self.tags.append(tag)
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), names
        for name, value in attrs:
            assert not name.startswith("on"), name
            assert name not in ("src", "srcset", "action", "data", "background"), name
            if name in ("href", "xlink:href"):
                assert re.match(r"#|https://arxiv\.org/", value or ""), value
                self.references.append(value or "")
            if name == "id":
                self.ids.append(value or "")
            assert not re.search(r"url\((?!#)", value or ""), value

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag, tag
        if tag in ("th", "td"):
            self.text.append(" ")

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            assert "url(" not in data
            assert "@import" not in data
        else:
            self.text.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data[:80]}")
