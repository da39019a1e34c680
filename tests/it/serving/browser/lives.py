"""What happens is shown while one looks, without a reload, and takes nothing away from whoever is typing.

Asks for: drop FILE; hold FILE; and where there is a second argument, stall and go on, between which nothing is published.
"""

import sys

from chromium import Chromium, ask
from selenium.webdriver.common.keys import Keys

address, *may_stall = sys.argv[1:]

with Chromium(address) as page:
    page.go("/")
    page.mark()
    ask("drop first.csv")
    page.wait("its row is there", lambda: "first.csv" in page.text())

    page.tab_to("#name")
    page.press("half a na")
    ask("drop second.csv")
    page.wait("its row is there", lambda: "second.csv" in page.text())
    page.press("me")
    assert page.one("#name").get_property("value") == "half a name", "what one types stays"
    rows = page.texts("td.file .name")
    assert rows == ["second.csv", "first.csv"], rows

    if may_stall:
        ask("stall")
        ask("drop third.csv")
        page.wait("it is being worked on", lambda: page.has(".working progress"))
        assert "third.csv" in page.text(".working"), page.text()
        page.look_over("working")
        ask("go on")
        page.wait("it is a batch", lambda: not page.has(".working") and len(page.texts("td.file .name")) == 3)

    page.tab_to("#live")
    page.press(Keys.ENTER)
    assert page.text("#live") == "Paused"
    ask("drop fourth.csv")
    page.press(Keys.ENTER)
    page.wait("it catches up", lambda: "fourth.csv" in page.text())
    assert page.text("#live") == "Live" and page.is_marked(), "nothing was reloaded"

    page.go("/?name=first.csv")
    page.follow("td.file a")
    page.mark()
    page.tab_to("#reason")
    page.press("because")
    ask("hold second.csv")
    ask("hold first.csv")
    page.wait("it is shown", lambda: "PAUSED" in page.text(".subtitle") and "Held" in page.text(".timeline"))
    assert page.is_marked()
