"""Files come whole or with an error, through the proxy the user named; the index's password goes to it alone."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from urllib3.exceptions import HTTPError, ProtocolError

from images.index_access import IndexClient, failure
from images.pylock import LockedWheel

LOGIN = "Basic dXNlcjpodW50ZXIgMg=="  # user:hunter 2


class Server(ThreadingHTTPServer):
    """Serves ten bytes, keeps what it was asked, and sends on what begins with ``/to/`` to the address behind."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        names = ("Authorization", "Range", "Proxy-Authorization")
        self.server.asked.append((self.path, *(self.headers.get(name) for name in names)))
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/"))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(10 - start))
        self.end_headers()
        self.wfile.write(b"0123456789"[start : 5 if "short" in self.path else 10])

    def log_message(self, *_):
        pass


@pytest.fixture
def serve(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    servers = []

    def start():
        server = Server()
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def index(serve, monkeypatch):
    server = serve()
    monkeypatch.setenv("MIXPEEK_INDEX_URL", f"http://user:hunter%202@127.0.0.1:{server.server_port}/simple")
    return server


def get(url, start=0):
    with IndexClient() as client, client.get(url, start) as answer:
        return answer.status, b"".join(answer.body)


def test_a_file_comes_whole_and_from_a_byte_on(serve):
    server = serve()
    assert get(f"{server.url}/a") == (200, b"0123456789")
    assert get(f"{server.url}/a", 4) == (206, b"456789")
    assert [asked[2] for asked in server.asked] == [None, "bytes=4-"]


def test_a_body_that_breaks_off_is_an_error(serve):
    with pytest.raises(ProtocolError):
        get(f"{serve().url}/short")


def test_credentials_go_to_the_index_and_nowhere_else(index, serve):
    other = serve()
    get(f"{index.url}/files/a.whl")
    get(f"{other.url}/a.whl")
    assert index.asked[0][1] == LOGIN
    assert other.asked[0][1] is None


def test_an_index_that_sends_on_to_another_host_does_not_hand_its_password_on(index, serve):
    other = serve()
    # Another name is another host, as for every client.
    assert get(f"{index.url}/to/{other.url.replace('127.0.0.1', 'localhost')}/a.whl") == (200, b"0123456789")
    assert index.asked[0][1] == LOGIN
    assert other.asked[0][1] is None


def test_the_proxy_of_the_environment_is_taken_with_its_login(serve, monkeypatch):
    proxy = serve()
    monkeypatch.setenv("HTTP_PROXY", f"http://user:hunter%202@127.0.0.1:{proxy.server_port}")
    assert get("http://index.test/a.whl") == (200, b"0123456789")
    assert proxy.asked[0][0] == "http://index.test/a.whl"
    assert proxy.asked[0][3] == LOGIN
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert get(f"{serve().url}/a")[0] == 200
    assert len(proxy.asked) == 1


def test_a_failure_says_what_happened_and_no_password(monkeypatch):
    monkeypatch.setenv("MIXPEEK_INDEX_URL", "http://user:hunter2@127.0.0.1:9/simple")
    wheel = LockedWheel("a", "1", "a-1-py3-none-any.whl", "http://user:hunter2@127.0.0.1:9/a.whl", "00" * 32, 0)
    with pytest.raises(HTTPError) as caught:
        get(wheel.url)
    told = failure(caught.value, wheel)
    assert "Connection refused" in told.message
    assert "0x" not in told.message
    assert "hunter2" not in str(told)
