"""A real Chromium that looks at the page as people do, and what must hold wherever it looks.

Each test of the page is a script beside this one. It is started by tests/it/serving/page.rs with the page's address; what only
that side can do, such as dropping a file, it asks for by `ask`. It fails by an exception.
"""

import base64
import json
import os
import shutil
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

WIDE, PHONE, NARROWEST = 1280, 390, 320  # the last is what WCAG asks for: 1280 at four times the size
SCHEMES = ("light", "dark")
PATIENCE = 30  # seconds for what comes by itself

AXE = Path(sys.prefix).glob("lib/python*/site-packages/axe_playwright_python/axe.min.js")


def program(package, *names):
    found = [path for path in map(shutil.which, names) if path]
    if not found:
        sys.exit(f"{names[0]} is not installed; on Debian it is in the package {package}, which tests/run installs as root")
    return found[0]


def ask(wish):
    """Has the test's other side do what is wished, and waits until it is done."""
    print(wish, flush=True)
    assert sys.stdin.readline(), f"nobody answers to: {wish}"


class Chromium:
    """One window, closed at the end; whatever a script did in it, the console is then empty and nothing came from elsewhere."""

    def __init__(self, address):
        self.address = address
        self.axe = next(AXE).read_text()
        options = webdriver.ChromeOptions()
        options.binary_location = program("chromium", "chromium", "google-chrome")
        # As root there is no sandbox; all else keeps the browser from talking to its maker.
        for word in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "disable-background-networking",
                     "disable-component-update", "disable-sync", "no-first-run", f"window-size={WIDE},900"):
            options.add_argument(f"--{word}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        service = webdriver.ChromeService(executable_path=program("chromium-driver", "chromedriver"))
        self.driver = webdriver.Chrome(options=options, service=service)
        self.driver.set_page_load_timeout(PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            if kind:
                self.picture("failed")
                print(f"at {self.driver.current_url}:\n{self.text('body')}", file=sys.stderr)
            else:
                self.is_quiet()
        finally:
            self.driver.quit()

    # ---- going and looking ----

    def go(self, path):
        self.driver.get(self.address + path)

    def path(self):
        return self.driver.current_url.removeprefix(self.address)

    def one(self, css):
        return self.driver.find_element(By.CSS_SELECTOR, css)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def texts(self, css):
        """Of all that are there at one moment: the page's own script may take any of them away in the next."""
        return self.run("return [...document.querySelectorAll(arguments[0])].map((one) => one.innerText.trim())", css)

    def text(self, css="main"):
        return "\n".join(self.texts(css))

    def has(self, css):
        return bool(self.texts(css))

    @contextmanager
    def leaving(self):
        """What is done here leads to another page; goes on when that is there."""
        self.run("window.left = true")
        yield
        self.wait("another page is there", lambda: self.run("return !window.left && document.readyState === 'complete'"))

    def follow(self, css):
        """Clicks on what leads to another page."""
        with self.leaving():
            self.one(css).click()

    def wait(self, what, holds):
        """Until it holds. Nothing here reloads the page: what comes, comes by its own script."""
        deadline = time.monotonic() + PATIENCE
        while not self.now(holds):
            assert time.monotonic() < deadline, f"waited in vain until {what}; there is:\n{self.text('body')}"
            time.sleep(0.05)

    @staticmethod
    def now(holds):
        try:
            return holds()
        except WebDriverException:  # the page went away while it was asked
            return False

    def mark(self):
        """Leaves a mark that a reload would take away."""
        self.run("window.mark = true")

    def is_marked(self):
        return self.run("return window.mark === true")

    # ---- by keyboard alone ----

    def press(self, *keys):
        ActionChains(self.driver).send_keys(*keys).perform()

    def tab_to(self, css):
        """Goes on by Tab until this has the focus, as it must, visibly."""
        for _ in range(80):
            self.press(Keys.TAB)
            if self.run("return document.activeElement.matches(arguments[0])", css):
                ring = self.run("const s = getComputedStyle(document.activeElement);"
                                "return [s.outlineStyle, parseFloat(s.outlineWidth)]")
                assert ring[0] == "solid" and ring[1] >= 2, f"{css} has the focus, and does not show it: {ring}"
                return
        raise AssertionError(f"Tab does not lead to {css}")

    # ---- what must hold everywhere ----

    def look_over(self, name):
        """The page as it is now, in both schemes and at the widths of a screen, a phone, and of what WCAG asks for."""
        for scheme in SCHEMES:
            media = [{"name": "prefers-color-scheme", "value": scheme}]
            self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
            for width in (WIDE, PHONE, NARROWEST):
                size = {"width": width, "height": 900 if width == WIDE else 844, "deviceScaleFactor": 1, "mobile": width != WIDE}
                self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
                where = f"{name} {scheme} {width}"
                self.is_accessible(where)
                wider = self.run("const root = document.documentElement; return root.scrollWidth - root.clientWidth")
                assert wider <= 0, f"{where}: {wider} px must be scrolled to the side"
                self.picture(where)
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
        self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

    def is_accessible(self, where):
        found = self.driver.execute_async_script(
            self.axe + ";const done = arguments[arguments.length - 1];"
            "axe.run(document, { resultTypes: ['violations'] }).then((found) => done(found.violations), (error) => done(String(error)))")
        told = [f"{violation['id']}: {violation['help']}: " + ", ".join(node["html"] for node in violation["nodes"])
                for violation in found]
        assert not told, f"{where}: axe finds\n" + "\n".join(told)

    def is_quiet(self, *expected):
        """Nothing was said in the console but what is expected, and nothing was asked of any other address."""
        said = [entry["message"] for entry in self.driver.get_log("browser")]
        unexpected = [message for message in said if not any(words in message for words in expected)]
        assert not unexpected, unexpected
        for entry in self.driver.get_log("performance"):
            event = json.loads(entry["message"])["message"]
            if event["method"] == "Network.requestWillBeSent":
                url = event["params"]["request"]["url"]
                # The browser draws its own controls from data.
                assert url.startswith((self.address + "/", "data:image/svg+xml;")), f"something was asked of {url}"

    def picture(self, name):
        """For people: of the whole page, where they say that they want them."""
        folder = os.environ.get("BATCHDROP_TEST_SCREENSHOTS")
        if not folder:
            return
        size = self.driver.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
        path = Path(folder) / f"{name.replace(' ', '-')}.png"
        path.write_bytes(base64.b64decode(shot["data"]))
