"""A real Chromium, as a person at the page uses it, and what of it a test can't see on the
page: its console, its requests, its accessibility tree."""

import json
import re
import time

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains

CONTROLS = {"button", "link", "textbox", "searchbox", "combobox", "checkbox", "DisclosureTriangle"}

FIND = """
const [selector, text, begins] = arguments;
return [...document.querySelectorAll(selector)].filter((e) => e.checkVisibility() &&
  (begins ? e.innerText.startsWith(text) : e.innerText.includes(text)));
"""

# The contrast of each piece of text with what is behind it, the least first.
CONTRAST = """
const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
const rgba = (color) => {
  paint.clearRect(0, 0, 1, 1);
  paint.fillStyle = color;
  paint.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = paint.getImageData(0, 0, 1, 1).data;
  return [r, g, b, a / 255];
};
const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
const behind = (node) => {
  const layers = [];
  for (let e = node; e; e = e.parentElement) layers.push(rgba(getComputedStyle(e).backgroundColor));
  return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255, 1]);
};
const light = (color) => {
  const [r, g, b] = color.slice(0, 3).map((c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const node = walker.currentNode.parentElement;
  const style = getComputedStyle(node);
  const box = node.getBoundingClientRect();
  if (!walker.currentNode.data.trim() || box.width < 2 || box.height < 2 || style.visibility !== "visible" ||
      node.closest("[disabled], noscript, svg, .unseen")) continue;
  const below = behind(node);
  const [a, b] = [light(over(rgba(style.color), below)), light(below)].sort((x, y) => y - x);
  found.push([(a + 0.05) / (b + 0.05), walker.currentNode.data.trim().slice(0, 40)]);
}
return found.sort((x, y) => x[0] - y[0]);
"""


class Browser:
    def __init__(self, slack_s=0):
        options = Options()
        for word in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "hide-scrollbars"):
            options.add_argument(f"--{word}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
        self.slack_s = slack_s

    def quit(self):
        self.driver.quit()

    # As it is shown.

    def media(self, width=1200, height=900, **features):
        """features: prefers_color_scheme="dark", prefers_contrast="more"."""
        pairs = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": pairs})
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def open(self, url):
        """Afresh, even if only what is behind # differs."""
        self.driver.get("about:blank")
        self.driver.get(url)
        return self

    def go(self, screen):
        self.run("location.hash = arguments[0]", f"#/{screen}")

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def text(self):
        return self.run("return document.body.innerText")

    def wait(self, condition, within=10, what=None):
        """Until condition(), or until its text is on the page; returns what it gave."""
        wanted = (lambda: condition in self.text()) if isinstance(condition, str) else condition
        until = time.monotonic() + within + self.slack_s
        while time.monotonic() < until:
            try:
                found = wanted()
                if found:
                    return found
            except StaleElementReferenceException:
                pass
            time.sleep(0.05)
        raise AssertionError(f"not within {within} s: {what or condition}\n{self.text()}")

    def find(self, selector, text="", begins=False):
        """What is visible and has this text in it, or begins with it."""
        return self.run(FIND, selector, text, begins)

    # By hand.

    def click(self, text, selector="button, a, summary"):
        """What begins with this text; in the dialog, if there is one."""
        inside = "dialog[open] " if self.find("dialog[open]") else ""
        places = ", ".join(inside + one.strip() for one in selector.split(","))
        self.wait(lambda: [e.click() for e in self.find(places, text, True)[:1]], what=f"to click {text}")

    def fill(self, name, value):
        field = self.wait(lambda: self.find(f"[name={name}]"), what=f"a field {name}")[0]
        if field.tag_name != "select":
            field.clear()
        field.send_keys(value)

    def confirm(self):
        """The dialog's deed; returns the outcome in words."""
        self.find("dialog[open] button.primary")[0].click()
        self.wait(lambda: self.find("dialog[open] button", "Done") or self.find("dialog[open] .problem"), 20, "an outcome")
        return self.find("dialog[open]")[0].text

    def done(self):
        self.click("Done")
        self.wait(lambda: not self.find("dialog"), what="the dialog goes")

    def keys(self, *keys):
        for key in keys:
            ActionChains(self.driver).send_keys(key).perform()

    def hover(self, element):
        ActionChains(self.driver).move_to_element(element).perform()

    def screenshot(self, path):
        self.driver.save_screenshot(str(path))

    # What is behind the page.

    def contrast(self):
        """The least one: (ratio, text)."""
        return self.run(CONTRAST)[0]

    def nameless(self):
        """Controls without an accessible name, and how many have one."""
        self.driver.execute_cdp_cmd("Accessibility.enable", {})
        nodes = self.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        controls = [n for n in nodes if not n.get("ignored") and n.get("role", {}).get("value") in CONTROLS]
        bad = [n["role"]["value"] for n in controls if not n.get("name", {}).get("value", "").strip()]
        return bad, len(controls)

    def is_wider(self):
        """Whether it would scroll sideways."""
        return self.run("return document.documentElement.scrollWidth > document.documentElement.clientWidth")

    def errors(self):
        """What its console said since the last time; answers that are failures are in it,
        too, but those of progress, which is asked for what may be over."""
        lines = [line["message"] for line in self.driver.get_log("browser") if line["level"] != "INFO"]
        return [line for line in lines if "/v1/progress/" not in line]

    def requests(self):
        """All URLs that were asked for since the last time."""
        events = [json.loads(line["message"])["message"] for line in self.driver.get_log("performance")]
        urls = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
        return [url for url in urls if not re.match(r"data:|about:|chrome", url)]


@pytest.fixture(scope="module")
def one_browser(build):
    browser = Browser(slack_s=0 if build.release else 8)
    yield browser
    browser.quit()
