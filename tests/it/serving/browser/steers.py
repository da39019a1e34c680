"""Holding, resuming and canceling a batch by the keys alone.

Asks for: nothing. The last status is looked at by the other side.
"""

import sys

from chromium import Chromium
from selenium.webdriver.common.keys import Keys

with Chromium(sys.argv[1]) as page:
    page.go("/")
    page.tab_to("a.skip")
    page.press(Keys.ENTER)
    page.tab_to("#name")
    with page.leaving():
        page.press("good", Keys.ENTER)
    assert "name=good" in page.path()
    page.tab_to("td.file a")
    with page.leaving():
        page.press(Keys.ENTER)
    batch = page.path()
    assert batch.startswith("/batches/"), batch

    page.tab_to("#reason")
    page.press("wrong amounts, says Ana")
    page.tab_to("button.primary")
    with page.leaving():
        page.press(Keys.ENTER)
    assert page.path() == batch and "PAUSED" in page.text(".subtitle"), page.path()
    held = page.text(".timeline")
    assert "Held" in held and "wrong amounts, says Ana" in held and "by batchdrop@localhost" in held, held

    page.tab_to("button.primary")
    assert page.run("return document.activeElement.innerText") == "Resume"
    with page.leaving():
        page.press(Keys.SPACE)
    assert "ACTIVE" in page.text(".subtitle")

    page.tab_to("summary")
    page.press(Keys.ENTER)
    page.tab_to("button.danger")
    page.press(Keys.ENTER)
    assert page.path() == batch and "ACTIVE" in page.text(".subtitle"), "not without a reason"
    assert page.run("return document.activeElement.id") == "why", "the browser leads to what is missing"
    with page.leaving():
        page.press("the list of last month", Keys.ENTER)
    assert "CANCELED" in page.text(".subtitle")
    assert not page.has("button.primary"), "what is over cannot be steered"
    assert "the list of last month" in page.text(".timeline")
