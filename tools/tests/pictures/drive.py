#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Uses a page of export --html as a person does: types, clicks, turns the wheel.

usage: drive.py CHROMIUM PAGE CONNECTIONS WORD SHOWN

The browser gets these through its input, not from a script of the page
(chromedriver, https://www.w3.org/TR/webdriver/). WORD typed into the filter must
leave SHOWN of CONNECTIONS. One line a result for browser.sh: "ok" or "not ok",
and what it is about; lines with # only inform.
"""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
CONTROL, BACKSPACE = "\ue009", "\ue003"
HEAD, ROW = 22, 16      # of page.js; a click goes to the middle of the first row


class Browser:
    def __init__(self, chromium):
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], text=True,
                                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        port = None
        for line in self.driver.stdout:
            port = re.search(r"started successfully on port (\d+)", line)
            if port:
                break
        if not port:
            sys.exit("drive: chromedriver does not start")
        self.base = "http://127.0.0.1:%s/session" % port[1]
        self.base += "/" + self.call("", {"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"binary": chromium, "args": [
                "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1300,1000",
                "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"]}}}})["sessionId"]

    def call(self, path, body=None, method=None):
        request = urllib.request.Request(
            self.base + path, method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=300) as answer:
            return json.load(answer)["value"]

    def find(self, selector):
        return self.call("/element", {"using": "css selector", "value": selector})[ELEMENT]

    def data(self, name):
        return self.call("/execute/sync", {"script": "return document.body.dataset[arguments[0]]",
                                           "args": [name]})

    def type(self, selector, text):
        self.call("/element/%s/value" % self.find(selector), {"text": text})

    def click(self, selector):
        self.call("/element/%s/click" % self.find(selector), {})

    def clear(self, selector):
        self.type(selector, CONTROL + "a" + CONTROL + BACKSPACE)

    def place(self, selector, x, y):
        """On the screen, of what is that far from an element's upper left corner."""
        box = self.call("/execute/sync", {"script": """
            const e = document.querySelector(arguments[0]);
            e.parentNode.scrollIntoView({ block: "center" });
            const box = e.getBoundingClientRect();
            return [box.x, box.y];""", "args": [selector]})
        return {"x": int(box[0] + x), "y": int(box[1] + y)}

    def pointer(self, selector, x, y, *actions):
        """Moves there, and acts."""
        move = dict(self.place(selector, x, y), type="pointerMove")
        self.call("/actions", {"actions": [{
            "type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"},
            "actions": [move] + [dict(a) for a in actions]}]})

    def wheel(self, selector, x, y, by):
        """With the control key held."""
        turn = dict(self.place(selector, x, y), type="scroll", deltaX=0, deltaY=by, duration=0)
        self.call("/actions", {"actions": [
            {"type": "key", "id": "keys", "actions": [
                {"type": "keyDown", "value": CONTROL}, {"type": "pause"},
                {"type": "keyUp", "value": CONTROL}]},
            {"type": "wheel", "id": "wheel", "actions": [
                {"type": "pause"}, turn]}]})

    def text(self, selector):
        return self.call("/element/%s/property/textContent" % self.find(selector))

    def close(self):
        self.call("", method="DELETE")
        self.driver.kill()


CLICK = ({"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0})


def say(right, name):
    print("%sok %s" % ("" if right else "not ", name), flush=True)


def view(browser):
    begin, end = browser.data("view").split()
    return float(begin), float(end)


def use(browser, page, connections, word, shown):
    start = time.monotonic()
    browser.call("/url", {"url": "file://" + page})
    while browser.data("ready") != "yes":
        if time.monotonic() - start > 120:
            sys.exit("drive: the page does not get ready")
        time.sleep(0.05)
    print("# usable after %.1f s" % (time.monotonic() - start))
    say(browser.data("shown") == connections, "%s connections" % connections)

    browser.type("#filter", word)
    say(browser.data("shown") == shown, "%r typed: %s are left" % (word, browser.data("shown")))

    browser.pointer("#rows canvas", 600, HEAD + ROW / 2)
    first = browser.text("#tip").split("\n")[0]
    say(word in browser.text("#tip").lower() and ":" in first, "under the pointer: %s" % first)

    browser.pointer("#rows canvas", 600, HEAD + ROW / 2, *CLICK)
    chosen = browser.data("selected")
    say(chosen and re.fullmatch("sk:[0-9a-f]+", chosen), "clicked: %s" % chosen)
    say(chosen and chosen in browser.call("/url"), "the address names it")
    ladder = browser.text("#ladder")
    say(chosen and chosen in ladder and "ESTAB" in ladder and "SYN" in ladder,
        "its ladder is there")

    before = view(browser)
    browser.wheel("#rows canvas", 700, HEAD + ROW / 2, -100)
    inner = view(browser)
    say(before[0] < inner[0] and inner[1] < before[1], "control and wheel zoom in")
    browser.pointer("#rows canvas", 700, HEAD + ROW / 2, CLICK[0],
                    {"type": "pointerMove", "x": 100, "y": 2 * ROW, "origin": "pointer"}, CLICK[1])
    moved = view(browser)
    say(moved[0] < inner[0] and moved[1] < inner[1], "dragging moves")
    say(browser.data("selected") == chosen, "and selects nothing")
    browser.click("button:nth-of-type(3)")
    say(view(browser) == before, "a button shows all of it again")
    browser.click("button:nth-of-type(1)")
    inner = view(browser)
    say(before[0] < inner[0] and inner[1] < before[1], "another zooms in")

    browser.clear("#filter")
    say(browser.data("shown") == connections, "the filter cleared: %s" % browser.data("shown"))


def main():
    chromium, page, connections, word, shown = sys.argv[1:]
    print("# %d KiB" % (os.path.getsize(page) // 1024))
    browser = Browser(chromium)
    try:
        use(browser, page, connections, word, shown)
    finally:
        browser.close()


if __name__ == "__main__":
    main()
