"""The configuration changes while mailbraked runs: what a reload says, and what stays."""

import json
import re

from helper import helper  # noqa: F401, a fixture
from stores import memory_only
from test_admin import ANN, CLASS, administered  # noqa: F401, a fixture


def test_reload_tells_errors_and_keeps_the_rules(administered):
    mail = administered()
    assert "Reloaded" in mail.ok("reload")
    good = mail.daemon.config.read_text()
    mail.daemon.config.write_text(good.replace("rules = ", 'colour = "red";\nrules = '))
    mail.daemon.allow_log(r"colour|not reloaded")
    done = mail.run("reload", "--socket", str(mail.socket))
    line = good.splitlines().index(next(l for l in good.splitlines() if l.startswith("rules = "))) + 1
    assert done.returncode == 1
    assert f"{mail.daemon.config}:{line}: " in done.stderr and "stay in force" in done.stderr
    code, answer = mail.api("POST", "/v1/reload")
    assert code == 422 and answer["ok"] is False and answer["errors"][0]["line"] == line
    assert mail.send(ANN, CLASS).accepted and len(mail.held()) == 1
    mail.daemon.config.write_text(good.replace("reach_over = 2", "reach_over = 9"))
    mail.ok("reload")
    assert mail.send(ANN, CLASS).accepted
    assert mail.delivered().copies == 5


@memory_only
def test_reload_says_what_check_says(administered):
    mail = administered()
    good = mail.daemon.config.read_text()
    mail.daemon.config.write_text(re.sub(r"rules = .*", "", good, flags=re.S))
    code, answer = mail.api("POST", "/v1/reload")
    checked = json.loads(mail.run("check", "--json").stdout)
    assert code == 200 and answer["ok"] and answer["errors"] == checked["errors"] == []
    assert any("rules: none are set" in warning["text"] for warning in answer["warnings"])
    assert sorted(w["text"] for w in answer["warnings"]) == sorted(
        w["text"] for w in checked["warnings"])
    mail.daemon.config.write_text(good)


@memory_only
def test_a_failed_reload_by_signal_is_told_by_status(administered):
    mail = administered()
    good = mail.daemon.config.read_text()
    assert mail.json("status")["reload_failed"] is None
    mail.daemon.config.write_text("colour = 7;\n" + good)
    mail.daemon.allow_log(r"colour|not reloaded")
    mail.daemon.reload()
    (error,) = mail.api("GET", "/v1/status")[1]["reload_failed"]["errors"]
    assert error["file"] == str(mail.daemon.config) and error["line"] == 1
    said = mail.ok("status")  # finds the daemon in spite of the error
    assert "reload failed" in said and "the old rules are in force" in said
    said = " ".join(said.split())
    assert "colour: there is no such setting" in said
    mail.daemon.config.write_text(good + "rules2 = ( { name = ")
    mail.daemon.allow_log(r"syntax error")
    assert "syntax error" in mail.run("reload").stderr
    assert "syntax error" in mail.ok("status")
    mail.daemon.config.write_text(good)
    mail.ok("reload")
    assert mail.json("status")["reload_failed"] is None


@memory_only
def test_what_only_a_restart_changes_is_told_and_left_alone(administered):
    mail = administered()
    good = mail.daemon.config.read_text()
    moved = good.replace("control.sock", "moved.sock")
    moved = re.sub(r'state_file = "[^"]*"', 'state_file = "elsewhere/state"', moved)
    assert moved.count("moved.sock") == 1 and "elsewhere" in moved
    mail.daemon.allow_log(r"takes effect at the next restart|elsewhere")
    mail.daemon.config.write_text(moved)
    lost = mail.run("reload")
    assert lost.returncode == 1 and "If control.socket was changed, restart" in lost.stderr
    code, answer = mail.api("POST", "/v1/reload")
    assert code == 200 and answer["restart"] == ["control.socket", "store.state_file"]
    assert mail.api("GET", "/v1/status")[1]["restart"] == answer["restart"]
    said = mail.ok("reload", "--socket", str(mail.socket))
    assert "control.socket" in said and "systemctl restart mailbraked" in said
    assert "store.state_file" in mail.ok("status", "--socket", str(mail.socket))
    assert mail.send(ANN, CLASS).accepted and len(mail.held()) == 1
    mail.daemon.config.write_text(good)
    assert "restart" not in mail.ok("reload")
    assert mail.json("status")["restart"] == []
