"""A file that was refused is worked on again, once what stood in its way is gone.

Asks for: cancel good.csv. The file again.csv has failed, since good.csv has the same content.
"""

import sys

from chromium import Chromium, ask

with Chromium(sys.argv[1]) as page:
    page.go("/uploads")
    assert "Duplicate file" in page.text()
    ask("cancel good.csv")
    page.follow("td.action button")
    assert page.path() == "/uploads"
    page.mark()
    page.wait("it is refused no more", lambda: "Nothing was refused." in page.text())
    assert page.is_marked()
    page.go("/")
    page.wait("it is a batch", lambda: "ACTIVE" in page.texts("tbody tr")[0])
    assert page.texts("td.file .name")[0] == "again.csv"
