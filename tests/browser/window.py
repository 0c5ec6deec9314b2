"""A person's window on Lockkeeper's pages: a real browser, real clicks and keys."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium.common.exceptions import StaleElementReferenceException, WebDriverException
from selenium.webdriver import Chrome, ChromeOptions, ChromeService, Keys
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from tests.patience import PATIENCE

AXE = Path(__file__).resolve().parents[2] / "build" / "npm" / "node_modules" / "axe-core" / "axe.min.js"
PHONE, DESK = (390, 844), (1280, 900)
"""Width and height in CSS pixels."""
ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-dev-shm-usage",
)


class Window:
    """One browser window. What it does is what a person does: open, read, press, type."""

    def __init__(self, driver: Chrome) -> None:
        self._driver = driver
        self._console: list[str] = []

    def sized(self, size: tuple[int, int], *, dark: bool = False) -> None:
        """From now on the window is as large as this, and its owner prefers light or dark."""
        width, height = size
        shape = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == PHONE}
        self._driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", shape)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})

    def forget(self) -> None:
        """Leave every page, with what the browser said of it and the cookies it left."""
        self._driver.get("about:blank")
        self._driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
        self._driver.get_log("browser")
        self._console = []

    def open(self, url: str) -> None:
        self._driver.get(url)
        self._listen()

    def complaints(self) -> list[str]:
        """What the browser complained about since it was last told to forget, as `LEVEL text`; it needs a moment to say it."""
        time.sleep(0.3)
        self._listen()
        return self._console

    def complained_about(self, text: str) -> bool:
        """Whether the browser complains about what a test expects; if so, that is forgotten."""
        until = time.monotonic() + PATIENCE
        while not (heard := [line for line in self.complaints() if text in line]):
            if time.monotonic() > until:
                return False
        self._console = [line for line in self._console if line not in heard]
        return True

    @contextmanager
    def another_tab(self) -> Iterator[None]:
        """Meanwhile what is done happens in a further tab; then the first one is as it was left."""
        first = self._driver.current_window_handle
        self._driver.switch_to.new_window("tab")
        try:
            yield
        finally:
            self._driver.close()
            self._driver.switch_to.window(first)

    @property
    def url(self) -> str:
        return str(self._driver.current_url)

    @property
    def text(self) -> str:
        """What can be read on the page."""
        return str(self._driver.find_element(By.TAG_NAME, "body").text)

    @property
    def source(self) -> str:
        return str(self._driver.page_source)

    def heading(self) -> str:
        return str(self._driver.find_element(By.TAG_NAME, "h1").text)

    def buttons(self) -> list[str]:
        return [one.text for one in self._driver.find_elements(By.TAG_NAME, "button") if one.is_displayed()]

    def button(self, name: str) -> WebElement:
        return self._driver.find_element(By.XPATH, f"//button[normalize-space()='{name}']")

    def press(self, name: str) -> None:
        """Click a button by its text, and wait for the page that comes of it."""
        self._leave(self.button(name).click)

    def follow(self, name: str) -> None:
        """Click a link by its text."""
        self._leave(self._driver.find_element(By.LINK_TEXT, name).click)

    def write(self, label: str, text: str) -> None:
        """Type into the field that has this label."""
        self.field(label).send_keys(text)

    def field(self, label: str) -> WebElement:
        named = self._driver.find_element(By.XPATH, f"//label[normalize-space()='{label}']").get_attribute("for")
        return self._driver.find_element(By.ID, str(named))

    def tab_to(self, name: str, most: int = 40) -> None:
        """Press Tab until what has the focus is called so: a label's text, a button's or a link's."""
        for _ in range(most):
            self.type(Keys.TAB)
            focused = self._driver.switch_to.active_element
            if name in (focused.accessible_name, focused.text):
                return
        raise AssertionError(f"no {name!r} within {most} presses of Tab")

    def type(self, *keys: str) -> None:
        """Keys for whatever has the focus."""
        ActionChains(self._driver).send_keys(*keys).perform()

    def enter(self) -> None:
        """Press Enter on what has the focus, and wait for the page that comes of it."""
        self._leave(lambda: self.type(Keys.ENTER))

    def back(self) -> None:
        self._driver.back()
        self._listen()

    def focus_is_visible(self) -> bool:
        """Whether what has the focus has an outline."""
        style = "const s = getComputedStyle(document.activeElement); return s.outlineStyle + ' ' + s.outlineWidth"
        return not str(self._driver.execute_script(style)).startswith("none")

    def cookies(self) -> list[dict[str, Any]]:
        """The cookies of the page's site."""
        return list(self._driver.get_cookies())

    def bottom_of(self, element: WebElement) -> float:
        """How far below the page's top an element ends, in CSS pixels."""
        script = "return arguments[0].getBoundingClientRect().bottom + window.scrollY"
        return float(self._driver.execute_script(script, element))

    def overflow(self) -> int:
        """By how many CSS pixels the page is wider than the window."""
        script = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        return int(self._driver.execute_script(script))

    def foreign_requests(self) -> list[str]:
        """What the page loaded beside itself."""
        script = "return performance.getEntriesByType('resource').map(one => one.name)"
        return list(self._driver.execute_script(script))

    def barriers(self) -> list[str]:
        """What axe-core finds on the page, as `rule: element`; best practices count as well."""
        self._driver.execute_script(AXE.read_text(encoding="utf-8"))
        run = "const done = arguments[0]; axe.run(document).then(found => done(JSON.stringify(found.violations)))"
        violations: list[dict[str, Any]] = json.loads(self._driver.execute_async_script(run))
        return [f"{one['id']}: {node['html'][:200]}" for one in violations for node in one["nodes"]]

    def _leave(self, act: Callable[[], None]) -> None:
        """Do what brings another page, and wait until it is there."""
        page = self._driver.find_element(By.TAG_NAME, "html")
        act()
        WebDriverWait(self._driver, PATIENCE).until(lambda _: self._gone(page))
        WebDriverWait(self._driver, PATIENCE).until(
            lambda driver: driver.execute_script("return document.readyState") == "complete"
        )
        self._listen()

    @staticmethod
    def _gone(element: WebElement) -> bool:
        try:
            element.is_enabled()
        except StaleElementReferenceException:
            return True
        except WebDriverException:
            return False
        return False

    def _listen(self) -> None:
        self._console += [f"{one['level']} {one['message']}" for one in self._driver.get_log("browser")]


@contextmanager
def window(profile: Path) -> Iterator[Window]:
    """A browser with a fresh profile; it ends with the block."""
    options = ChromeOptions()
    options.binary_location = found("chromium", "google-chrome", "chrome")
    for argument in (*ARGUMENTS, f"--user-data-dir={profile}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options, ChromeService(found("chromedriver")))
    driver.set_page_load_timeout(PATIENCE)
    try:
        yield Window(driver)
    finally:
        driver.quit()


def found(*names: str) -> str:
    """Where the first of these programs is."""
    paths = [path for name in names if (path := shutil.which(name))]
    assert paths, f"none of {', '.join(names)} is installed: `make test-browser` installs them on Debian"
    return paths[0]
