"""A package index on this machine: PEP 503 over TLS, behind a password if it has one."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import ssl
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import trustme


class PackageIndex:
    """Serves ``files`` (names to bytes) as a simple index with hashes.

    ``broken`` maps a file's name to the number of bytes after which its next downloads break off; ``spoiled``
    holds names whose bytes are not those that were promised. ``asked`` collects paths and Range headers.
    """

    def __init__(self, folder, *, login=None):
        self.files, self.broken, self.spoiled, self.asked = {}, {}, set(), []
        self._login = login
        authority = trustme.CA()
        self.bundle = folder / "authority.pem"
        authority.cert_pem.write_to_path(str(self.bundle))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.index = self
        self._server.daemon_threads = True
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self):
        """The address, with the login in it as users write it."""
        login = f"{self._login[0]}:{self._login[1]}@" if self._login else ""
        return f"https://{login}localhost:{self._server.server_address[1]}/simple"

    def add(self, name, data):
        """One more file."""
        self.files[name] = data

    def allowed(self, header):
        if self._login is None:
            return True
        expected = base64.b64encode(":".join(self._login).encode()).decode()
        return header == f"Basic {expected}"

    def page(self, project):
        def belongs(name):
            return re.sub(r"[-_.]+", "-", name.partition("-")[0]).lower() == project

        links = [
            f'<a href="/files/{name}#sha256={hashlib.sha256(data).hexdigest()}"'
            f"{' data-core-metadata=true' if name.endswith('.whl') else ''}>{name}</a>"
            for name, data in self.files.items()
            if belongs(name)
        ]
        return f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>" if links else ""


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        index = self.server.index
        index.asked.append((self.path, self.headers.get("Range")))
        folder, _, name = self.path.strip("/").partition("/")
        if not index.allowed(self.headers.get("Authorization")):
            self._answer(401, b"", {"WWW-Authenticate": 'Basic realm="index"'})
        elif folder == "simple":
            page = index.page(name)
            self._answer(200 if page else 404, page.encode(), {"Content-Type": "text/html"})
        elif name in index.files:
            self._file(index, name)
        elif name.endswith(".whl.metadata"):
            # PEP 658: resolvers then need not look into the wheel.
            self._answer(200, _metadata(index.files[name.removesuffix(".metadata")]))
        else:
            self._answer(404, b"")

    def _file(self, index, name):
        data = index.files[name]
        data = data[:-1] + b"\xff" if name in index.spoiled else data
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        status = 206 if start else 200
        if name in index.broken:
            # Promises all and hangs up: the client sees a connection that broke off.
            self._head(status, {"Content-Length": str(len(data) - start)})
            self.wfile.write(data[start : start + index.broken[name]])
            self.close_connection = True
        else:
            self._answer(status, data[start:])

    def _answer(self, status, body, headers=None):
        self._head(status, {"Content-Length": str(len(body)), **(headers or {})})
        self.wfile.write(body)

    def _head(self, status, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *args):
        pass


def _metadata(wheel):
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        (name,) = (name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name))
        return archive.read(name)
