"""Every page, with all that is awkward in it: accessible in both schemes and at every width, and nothing sticks out.

Asks for: fill.
"""

import sys

from chromium import Chromium, ask

with Chromium(sys.argv[1]) as page:
    page.go("/")
    assert "No batch yet" in page.text()
    page.look_over("empty")
    page.go("/uploads")
    assert "Nothing was refused." in page.text()
    page.look_over("empty uploads")
    page.go("/expected")
    page.look_over("nothing due yet")

    ask("fill")
    for path, name in (
        ("/", "batches"),
        ("/?name=nothing-has-this-name", "not found"),
        ("/uploads", "uploads"),
        ("/uploads?status=LOADED", "loaded"),
        ("/expected", "expected"),
    ):
        page.go(path)
        page.look_over(name)
    assert not page.has("img[src=x]"), "a file's name is text, and no element"

    for file, shows in (
        ("good.csv", ["286 pending", "Duplicate reference_id", "Rows not loaded"]),
        ("resent.csv", ["Duplicate file", "Nothing to do if it was sent twice by mistake."]),
        ("held.csv", ["PAUSED", "Resume"]),
        ("canceled.csv", ["CANCELED", "the list of last month"]),
        ("purged.csv", ["purged"]),
        ("of_head_office", ["3 pending"]),
        ("<img", ["3 pending"]),
    ):
        page.go(f"/?name={file}")
        page.follow("td.file a")
        for words in shows:
            assert words in page.text(), f"{words} is not in\n{page.text()}"
        page.look_over(file.removesuffix(".csv").strip("<"))

    page.go("/?name=good.csv")
    page.follow("td.file a")
    page.one("summary").click()
    page.look_over("opened")
    # A browser would not send it blank; a person without one may.
    page.run("document.getElementById('why').required = false")
    page.follow("button.danger")
    assert "a reason is required" in page.text(".refusal")
    page.look_over("refused")
    page.is_quiet("status of 422")

    page.go("/batches/20010101.1")
    assert "There is no such batch." in page.text()
    page.look_over("not here")
    page.is_quiet("status of 404")
