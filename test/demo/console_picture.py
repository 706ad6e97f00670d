"""The picture of the console in README: the evening of storm.py, with rules that hold it, as
an administrator sees it. As root:

    MAILBRAKE_BUILD=build/release /usr/bin/python3 test/demo/console_picture.py doc/console.png
"""

import os
import pathlib
import shutil
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / folder) for folder in (".", "e2e")]

from browser import Browser  # noqa: E402
from conftest import Build  # noqa: E402
from console import Console  # noqa: E402
from helper import Helper  # noqa: E402
from mailbraked import Mailbraked, people  # noqa: E402
from postfix import Postfix  # noqa: E402
from redis import Redis  # noqa: E402
from relay import lists_for_postfix  # noqa: E402
from storm import ALIASES, CLASS, STUDENTS, ordinary_morning, storm  # noqa: E402
from stores import redis_settings  # noqa: E402
from test_admin import Administered  # noqa: E402

RULES = """
    { name = "announce"; from = ["login:superintendent"]; to = ["list:*"]; action = "accept"; },
    { name = "automation-grown"; from = ["login:sis-export"]; key = "from"; surge = 2.0; window = "1d"; floor = 500;
      latch = "1d"; action = "quarantine"; },
    { name = "reply-storm"; to = ["list:*"]; reply = true; reach_over = 200; key = "thread";
      limit = "2 messages per 1d"; latch = "1d"; action = "quarantine"; }
"""


def start_relay(build, folder, postfix, redis, helper):
    daemon = Mailbraked(build, folder / "mailbraked", postfix.milter_socket)
    aliases = ALIASES.format(folder=folder, members=", ".join(CLASS))
    (folder / "allstudents.txt").write_text("\n".join(people(STUDENTS, "student")) + "\n")
    lists_for_postfix(postfix, aliases=aliases)
    helper.configure("postfix", postfix.config).start()
    mta = {"config_directory": str(postfix.config), "helper": str(helper.socket)}
    daemon.host = "relay1"
    daemon.configure(redis_settings(redis), rules=RULES, aliases=aliases, mta=mta)
    return daemon


def picture(console, out):
    browser = Browser(slack_s=60)
    try:
        browser.media(1000, 720, prefers_color_scheme="light")
        browser.open(console.url).wait("To decide")
        browser.click("thread snow@")
        browser.wait("together.")
        time.sleep(1)
        browser.screenshot(out)
    finally:
        browser.quit()


def main(out):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="mailbrake-picture-", dir="/run"))
    folder.chmod(0o755)
    (folder / "postfix").mkdir()
    build = Build(os.environ["MAILBRAKE_BUILD"])
    postfix, redis, helper = Postfix(folder / "postfix"), Redis(folder / "redis"), Helper(build, folder)
    daemon = console = None
    try:
        redis.start()
        postfix.start()
        daemon = start_relay(build, folder, postfix, redis, helper).start()
        mail = Administered(postfix, daemon, build)
        ordinary_morning(mail)
        storm(mail)
        mail.held()
        console = Console(build, folder, mail.socket)
        picture(console, out)
    finally:
        for process in (daemon, helper):
            if process:
                process.kill()
        if console:
            console.stop()
        postfix.stop()
        redis.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1])
