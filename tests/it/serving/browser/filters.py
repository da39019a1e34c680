"""The form finds batches, and page after page of them; without scripts too.

Asks for: nothing. There are sixty batches of the campaign plain, and named_good.csv and named_bad.csv of the campaign named.
"""

import sys

from chromium import Chromium
from selenium.webdriver.support.select import Select


def files(page):
    return page.texts("td.file .name")


def submit(page):
    page.follow("#filters button")


def works(page):
    page.go("/")
    assert page.text("h1") == "Batches 62" and len(files(page)) == 50
    page.follow("a[rel=next]")
    assert len(files(page)) == 12 and "page 2 of 2" in page.text()
    page.follow("a[rel=prev]")

    Select(page.one("#campaign")).select_by_visible_text("named")
    submit(page)
    assert sorted(files(page)) == ["named_bad.csv", "named_good.csv"], files(page)
    assert Select(page.one("#campaign")).first_selected_option.text == "named", "the form shows what is looked for"
    Select(page.one("#status")).select_by_visible_text("FAILED")
    submit(page)
    assert files(page) == ["named_bad.csv"], files(page)
    page.follow("#filters a")
    assert len(files(page)) == 50, "all are shown again"

    page.one("#name").send_keys("GOO")
    submit(page)
    assert files(page) == ["named_good.csv"], files(page)
    page.go("/?to=2020-01-01")
    assert "No batch is like that." in page.text()
    page.go("/?from=2020-01-01&name=plain")
    assert page.text("h1") == "Batches 60"
    page.follow("a[rel=next]")
    assert len(files(page)) == 10, "the filter stays from page to page"

    page.go("/uploads")
    assert files(page) == ["named_bad.csv"], "what was refused is shown first"
    Select(page.one("#status")).select_by_visible_text("LOADED")
    submit(page)
    assert page.text("h2") == "Found 61" and len(files(page)) == 50
    page.follow("a[rel=next]")
    assert len(files(page)) == 11
    page.one("#name").send_keys("GOOD")
    submit(page)
    assert files(page) == ["named_good.csv"], files(page)
    page.follow("#filters a")
    assert files(page) == ["named_bad.csv"]


with Chromium(sys.argv[1]) as page:
    works(page)
    page.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    works(page)
    assert not page.one("#live").is_displayed()
