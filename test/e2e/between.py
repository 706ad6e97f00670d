"""What stands between mailbraked and an LDAP server, and does to their bytes what a network
or another server would."""

import select
import socket
import threading


class Listener:
    """On a port of its own, serves each connection by a thread."""

    def __init__(self, scheme="ldap"):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def close(self):
        self.listener.close()


class Between(Listener):
    """Passes bytes between mailbraked and slapd; replaces some, and once so many have come
    from slapd cuts the connection, or passes no more."""

    def __init__(self, server_port, cut_after=None, replace=(), scheme="ldap"):
        self.server_port, self.cut_after, self.replace = server_port, cut_after, replace
        self.stall_after = None
        self.came = 0  # on the last connection that mailbraked ended
        super().__init__(scheme)

    def _changed(self, data, back):
        for ours, theirs in self.replace:
            data = data.replace(theirs, ours) if back else data.replace(ours, theirs)
        return data

    def _serve(self, client):
        try:
            server = socket.create_connection(("127.0.0.1", self.server_port))
        except OSError:
            client.close()
            return
        with client, server:
            held, came = b"", 0
            while True:
                ready = select.select([client, server], [], [], 0.02 if held else None)[0]
                try:
                    if client in ready:
                        data = client.recv(65536)
                        if not data:
                            self.came = came
                            return
                        server.sendall(self._changed(data, back=False))
                    if server in ready:
                        data = server.recv(65536)
                        if not data:
                            return
                        held += data
                    # What is replaced may come in two parts.
                    keep = 32 if self.replace and server in ready else 0
                    held = self._changed(held, back=True)
                    part, held = held[: len(held) - keep], held[len(held) - keep :]
                    for limit in (self.cut_after, self.stall_after):
                        if limit is not None:
                            part = part[: max(0, limit - came)]
                    came += len(part)
                    client.sendall(part)
                    if came == self.cut_after:
                        return
                except OSError:
                    return
