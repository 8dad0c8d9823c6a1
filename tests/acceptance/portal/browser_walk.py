"""A program that opens the portal in a browser, as a person does: reads, switches the period, goes by keyboard.

Arguments: the browser, the address of a page of usage, that of a page of charges, that of a link that is not valid, and
a folder for pictures. Prints what was seen as JSON, by the name of each step.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

#: Name, width, height and colour scheme.
SCREENS = (
    ("desktop-light", 1280, 900, "light"),
    ("desktop-dark", 1280, 900, "dark"),
    ("phone-light", 390, 844, "light"),
    ("phone-dark", 390, 844, "dark"),
    ("small-light", 360, 640, "light"),
)
#: The page of charges has no colours and widths of its own, so that these tell nothing new.
NOT_OPENED = ("charges-desktop-dark", "charges-phone-light")
TABS_MAX = 40
_FOCUSED = """() => {
    const at = document.activeElement, style = getComputedStyle(at), box = at.getBoundingClientRect();
    return {tag: at.tagName, text: at.innerText.trim(), outline: style.outlineStyle + ' ' + style.outlineWidth,
            seen: box.width > 0 && box.left >= 0 && box.right <= innerWidth}
}"""
_WIDTHS = """() => ({
    page: document.documentElement.scrollWidth, window: innerWidth,
    outside: [...document.querySelectorAll('td, th, p, h1, h2, dd, a:not(.skip)')]
        .filter(one => one.getBoundingClientRect().right > innerWidth + 0.5 || one.scrollWidth > one.clientWidth + 1
                       && getComputedStyle(one).display !== 'inline')
        .map(one => one.innerText)
})"""


class Walk:
    """Pages of one browser, and what was seen on them."""

    def __init__(self, browser: Browser, pictures: Path) -> None:
        self._browser = browser
        self._pictures = pictures
        self.seen: dict[str, Any] = {}

    @contextmanager
    def page(
        self, name: str, address: str, width: int = 1280, height: int = 900, scheme: Any = "light"
    ) -> Iterator[Page]:
        """A page in a window of its own; what it asked for and complained about is noted by the name."""
        with self._browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme) as window:
            page = window.new_page()
            asked: list[str] = []
            complaints: list[str] = []
            page.on("request", lambda request: asked.append(request.url))
            page.on("console", lambda message: complaints.append(message.text))
            page.on("pageerror", lambda error: complaints.append(str(error)))
            answer = page.goto(address)
            self.seen[name] = {"status": answer.status if answer else None, **shown(page)}
            yield page
            self.seen[name] |= {"asked": asked, "complaints": complaints}

    def check(self, name: str, page: Page) -> None:
        """Note what axe finds wrong, and take a picture."""
        found = Axe().run(page).response
        self.seen[name]["violations"] = [
            f"{one['id']}: {node['html']}" for one in found["violations"] for node in one["nodes"]
        ]
        self.seen[name]["passes"] = len(found["passes"])
        page.screenshot(path=self._pictures / f"{name}.png", full_page=True)


def shown(page: Page) -> dict[str, Any]:
    """What a page says, in short."""
    return {
        "title": page.title(),
        "language": page.get_attribute("html", "lang"),
        "name": page.inner_text("h1"),
        "period": text_of(page, "#period"),
        "headline": text_of(page, ".headline"),
        "background": page.evaluate("getComputedStyle(document.body).backgroundColor"),
        "scripts": page.evaluate("document.scripts.length"),
        "widths": page.evaluate(_WIDTHS),
    }


def text_of(page: Page, selector: str) -> str | None:
    return " ".join(page.inner_text(selector).split()) if page.locator(selector).count() else None


def on_every_screen(walk: Walk, usage: str, charges: str) -> None:
    for of, address in (("usage", usage), ("charges", charges)):
        for name, width, height, scheme in (one for one in SCREENS if f"{of}-{one[0]}" not in NOT_OPENED):
            with walk.page(f"{of}-{name}", address, width, height, scheme) as page:
                walk.check(f"{of}-{name}", page)


def reading(walk: Walk, usage: str) -> None:
    """The chart has a text, the tables have heads, headings follow one another."""
    with walk.page("read", usage) as page:
        walk.seen["read"] |= {
            "chart": page.get_by_role("img").first.get_attribute("aria-label"),
            "bars": page.locator(".plot rect").count(),
            "tables": page.eval_on_selector_all(
                "table",
                "all => all.map(one => [one.caption.innerText, one.querySelectorAll('thead th[scope=col]').length])",
            ),
            "rows": page.locator("tbody th[scope=row]").count(),
            "landmarks": [page.locator(one).count() for one in ("header", "main", "footer", "h1")],
        }


def switching(walk: Walk, usage: str) -> None:
    """Another period by a click in the list, and back by the link to the later one."""
    with walk.page("switch", usage) as page:
        listed = page.locator("table").last.get_by_role("link")
        walk.seen["switch"]["listed"] = listed.all_inner_texts()
        listed.nth(1).click()
        walk.seen["switch"]["clicked"] = shown(page) | {"address": page.url}
        walk.check("switch", page)
        page.get_by_role("link", name="Later period").click()
        walk.seen["switch"]["back"] = shown(page)


def by_keyboard(walk: Walk, usage: str) -> None:
    """Tab, over everything that can be chosen; Enter on the skip link and on a period."""
    with walk.page("keyboard", usage) as page:
        stops = []
        for _ in range(TABS_MAX):
            page.keyboard.press("Tab")
            at = page.evaluate(_FOCUSED)
            if at["tag"] == "BODY":
                break
            stops.append(at)
        walk.seen["keyboard"]["stops"] = stops
        page.goto(usage)
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        walk.seen["keyboard"]["skipped_to"] = page.evaluate("document.activeElement.id")
        page.keyboard.press("Tab")
        walk.seen["keyboard"]["then"] = page.evaluate(_FOCUSED)
        page.keyboard.press("Enter")
        page.wait_for_url("**?period=*")
        walk.seen["keyboard"]["entered"] = shown(page)


@contextmanager
def shop(usage: str) -> Iterator[str]:
    """The address of a page of another site, which shows the portal in a frame."""
    content = f"<!DOCTYPE html><title>Shop</title><iframe src='{usage}' title='Usage' width=800 height=600></iframe>"

    class Shop(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(content.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Shop) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def embedded(walk: Walk, browser: Browser, usage: str) -> None:
    """In a frame of a shop. What is asked from inside tells nobody the address of the link."""
    with shop(usage) as address, browser.new_context() as window:
        page = window.new_page()
        referrers: list[str | None] = []
        page.on("request", lambda request: referrers.append(request.headers.get("referer")))
        page.goto(address)
        inside = page.frame_locator("iframe")
        walk.seen["embedded"] = {"name": inside.locator("h1").inner_text()}
        inside.get_by_role("link", name="Earlier period").click()
        inside.get_by_role("link", name="Later period").wait_for()
        walk.seen["embedded"]["referrer_within"] = referrers[-1]


def main(program: str, usage: str, charges: str, not_valid: str, pictures: str) -> None:
    with sync_playwright() as playwright, started(playwright, program) as browser:
        walk = Walk(browser, Path(pictures))
        on_every_screen(walk, usage, charges)
        reading(walk, usage)
        switching(walk, usage)
        by_keyboard(walk, usage)
        embedded(walk, browser, usage)
        with walk.page("not_valid", not_valid) as page:
            walk.check("not_valid", page)
    sys.stdout.write(json.dumps(walk.seen))


def started(playwright: Playwright, program: str) -> Browser:
    # Without its sandbox, which it cannot have as root; it opens pages of ours alone.
    return playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])


if __name__ == "__main__":
    main(*sys.argv[1:])
