"""What else limits rates, set to the same two limits: rspamd's ratelimit as a milter, and
postfwd as a policy server. Of both, Debian's packages; neither limit ever says no."""

import os
import pathlib
import shutil
import signal
import subprocess

from postfix import free_port, wait_until

TWO_LIMITS = """
    { name = "a"; key = "sender"; limit = "1000000 messages per 1s"; burst = 1000000000;
      action = "defer"; },
    { name = "b"; key = "client"; limit = "1000000 messages per 1s"; burst = 1000000000;
      action = "defer"; }
"""

# No other module, no rules, nothing asked of DNS; as many workers as there are cores.
RSPAMD = """
options {{ pidfile = "{dir}/pid"; filters = ""; local_addrs = []; history_rows = 10;
    disable_monitoring = true; cache_file = "{dir}/symbols"; hs_cache_dir = "{dir}";
    control_socket = "{dir}/control.sock mode=0600"; tempdir = "{dir}";
    dns {{ nameserver = ["127.0.0.1:1"]; }} }}
logging {{ type = "file"; filename = "{dir}/log"; level = "warning"; }}
worker "rspamd_proxy" {{ bind_socket = "{dir}/milter.sock mode=0666"; milter = yes;
    count = {workers}; upstream "local" {{ default = yes; self_scan = yes; }} }}
modules {{ path = "/usr/share/rspamd/plugins/ratelimit.lua"; }}
ratelimit {{ servers = "{redis}"; rates {{
    a {{ selector = "from('smtp').lower"; bucket {{ burst = 1000000000; rate = "1000000 / 1s"; }} }}
    b {{ selector = "ip"; bucket {{ burst = 1000000000; rate = "1000000 / 1s"; }} }} }} }}
"""

POSTFWD_RULES = """
id=A; action=rate(sender/1000000000/3600/450 4.7.1 too much)
id=B; action=rate(client_address/1000000000/3600/450 4.7.1 too much)
"""


class Rspamd:
    name = "rspamd"
    program = "rspamd"

    def __init__(self, folder, redis):
        self.dir = pathlib.Path(folder) / "rspamd"
        self.dir.mkdir()
        self.dir.chmod(0o755)
        self.redis = redis
        self.socket = self.dir / "milter.sock"
        config = self.dir / "rspamd.conf"
        config.write_text(RSPAMD.format(dir=self.dir, redis=redis.socket, workers=os.cpu_count()))
        self.process = subprocess.Popen(
            ["rspamd", "-f", "-i", "-c", config],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        wait_until(self.socket.exists, 30, "rspamd does not come up")

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Postfwd:
    name = "postfwd"
    program = "postfwd"

    def __init__(self, folder):
        self.dir = pathlib.Path(folder) / "postfwd"
        self.dir.mkdir()
        shutil.chown(self.dir, "postfix")
        rules = self.dir / "rules"
        rules.write_text(POSTFWD_RULES)
        self.port = free_port()
        self.pid_file = self.dir / "pid"
        subprocess.run(
            ["postfwd", "--daemon", "--file", rules, "--interface", "127.0.0.1"]
            + ["--port", str(self.port), "--pidfile", self.pid_file, "--user", "postfix"]
            + ["--group", "postfix", "--nodns", "--summary", "0"]
            + ["--cache_socket", f"tcp:127.0.0.1:{free_port()}"],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        wait_until(self.pid_file.exists, 30, "postfwd does not come up")

    def stop(self):
        os.kill(int(self.pid_file.read_text()), signal.SIGTERM)


def missing(*kinds):
    """The packages to install before these can be measured."""
    path = "/usr/sbin:/usr/bin"
    return [kind.program for kind in kinds if shutil.which(kind.program, path=path) is None]
