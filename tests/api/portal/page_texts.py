"""What a person reads on a page: the texts of its HTML, one for each element that holds any."""

from __future__ import annotations

from html.parser import HTMLParser


class _Texts(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.texts: list[str] = []
        self.tags: list[str] = []
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._in_style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False

    def handle_data(self, data: str) -> None:
        text = " ".join(data.split())
        if text and not self._in_style:
            self.texts.append(text)


def texts_of(page: str) -> list[str]:
    """The texts of a page, in their order."""
    parser = _Texts()
    parser.feed(page)
    return parser.texts


def tags_of(page: str) -> list[str]:
    """The names of the elements of a page, in their order."""
    parser = _Texts()
    parser.feed(page)
    return parser.tags


def after(page: str, *texts: str, count: int) -> list[str]:
    """The texts that follow these ones, which follow one another somewhere on the page."""
    found = texts_of(page)
    places = [at for at in range(len(found)) if tuple(found[at : at + len(texts)]) == texts]
    assert places, f"{texts} are not in {found}"
    begin = places[0] + len(texts)
    return found[begin : begin + count]
