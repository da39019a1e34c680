"""Where there are tokens: one logs in, under a name, and may do what the token lets one do.

Arguments: address, read token, write token. Asks for: nothing.
"""

import sys

from chromium import Chromium
from selenium.webdriver.common.keys import Keys

address, read_token, write_token = sys.argv[1:]


def log_in(page, name, token):
    for field, text in (("#name", name), ("#token", token)):
        page.one(field).clear()
        page.one(field).send_keys(text)
    with page.leaving():
        page.press(Keys.ENTER)


with Chromium(address) as page:
    page.go("/uploads?status=LOADED")
    assert page.path() == "/login?next=%2Fuploads%3Fstatus%3DLOADED", page.path()
    page.look_over("login")
    log_in(page, "ana@example.com", "not-a-token-of-this-worker")
    assert "not a token of this worker" in page.text("#token-hint")
    assert page.one("#name").get_property("value") == "ana@example.com", "the name need not be typed again"
    assert page.run("return document.activeElement.id") == "token"
    page.look_over("login refused")
    page.is_quiet("status of 401")
    log_in(page, "ana@example.com", write_token)
    assert page.path() == "/uploads?status=LOADED", "one gets to where one wanted"
    assert "ana@example.com" in page.text(".who")

    page.go("/")
    page.follow("td.file a")
    page.look_over("logged in")
    page.one("#reason").send_keys("looks odd")
    page.follow("button.primary")
    assert "by ana@example.com" in page.text(".timeline"), page.text(".timeline")

    page.follow(".who form button")
    assert page.path() == "/login"
    page.go("/")
    assert page.path().startswith("/login")
    log_in(page, "ben@example.com", read_token)
    page.follow("td.file a")
    assert not page.has("button.primary"), "the read token lets one look"
    assert "may look" in page.text(".who")
    page.go("/uploads")
    assert not page.has("td.action")
    assert page.driver.get_cookies()[0]["httpOnly"] and page.driver.get_cookies()[0]["sameSite"] == "Strict"
