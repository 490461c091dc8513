"""The reviewers' pages in a real browser, by keyboard, in light and dark; and what they refuse."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from registry.access import Role
from tests.support.browser import browser
from tests.support.plugins import NAME, make_plugin
from tests.support.registries import Publisher, Server, embedded_only, packed, plugin_archive
from tests.support.releases import make_signed_release
from toolchain.core.digests import sha256_bytes
from toolchain.publish.record.reading import record_document

HOSTILE = "<script>document.title='owned'</script><img src=//192.0.2.1/x>"
CHECKS = [
    {"name": "tests", "status": "passed", "detail": "4 tests", "source": "claimed"},
    {"name": "network", "status": "passed", "detail": HOSTILE, "source": "observed"},
]

# The pages read what the API's tests hold to both backends: one will do.
pytestmark = embedded_only


@pytest.fixture
def page(server):
    """A client without a key, as a browser's: it keeps cookies and follows nothing."""
    with httpx.Client(base_url=server.url, timeout=60) as client:
        yield client


def logged_in(server: Server, page: httpx.Client, namespace: str, role: Role = Role.REVIEWER) -> str:
    """Log in; the form's token."""
    answer = page.post("/review/login", data={"key": server.key(role, namespace)})
    assert answer.status_code == 303, answer.text
    return form_token(page.get("/review").text)


def form_token(html: str) -> str:
    return re.search(r'name="form_token" value="([^"]+)"', html)[1]


SECTIONS = {
    "findings": ["1 finding", "run.sh:1", "warned", "file.shell-script"],
    "behaviour": ["4 tests", HOSTILE, "claimed", "observed"],
    "sbom": ["1 locked package,", "1 component."],
    "difference": ["run.sh", "numpy"],
}


def release_with_everything(publisher: Publisher, folder: Path) -> None:
    """A release with a finding, a lock, and a record of a sandbox run."""
    script = folder / NAME / "run.sh"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\ntrue\n")

    def told(predicates: dict[str, Any]) -> None:
        predicates["tests"]["mixpeek"] = {"mode": "sandbox", "checks": CHECKS}

    release = make_signed_release(folder, told)
    archive = release.packed.path.read_bytes()
    begun = publisher.begin(archive, description=HOSTILE).json()
    publisher.put(begun, archive)
    answer = publisher.confirm(begun["upload_id"], record=record_document(release.record.read_bytes()))
    assert answer.json()["validation_status"] == "passed", answer.text


def test_a_reviewer_reads_and_decides_by_keyboard(server, publisher, tmp_path):
    publisher.publish(plugin_archive(tmp_path, "0.9.0"), version="0.9.0", description=HOSTILE)
    reviewer = server.publisher(publisher.namespace, Role.REVIEWER)
    approval = {"verdict": "approve", "reason": "the first, read whole"}
    reviewer.client.post(f"/plugins/{NAME}_0_9_0/decisions", json=approval)
    release_with_everything(publisher, tmp_path)
    with browser() as seen:
        seen.open(f"{server.url}/review")
        assert seen.run("location.pathname") == "/review/login"
        seen.type(reviewer.key)
        seen.press("Enter", "\r")
        seen.settle()
        assert seen.run("document.querySelector('h1').textContent") == "Releases: pending"
        seen.screenshot(tmp_path / "queue-light.png")
        seen.press("Tab")
        assert seen.run("document.activeElement.textContent") == "Skip to the content"
        seen.open(f"{server.url}/review/{publisher.namespace}/{NAME}_1_0_0")
        text = seen.run("document.body.innerText")
        assert HOSTILE in text
        assert seen.run("document.title") == f"{NAME} 1.0.0 · mixpeek registry"
        assert seen.run("document.images.length + document.scripts.length") == 0
        assert "✓ re-verified" in text
        assert "not checked" in text
        for section, words in SECTIONS.items():
            shown = seen.run(f"document.getElementById('{section}').parentElement.innerText")
            assert [word for word in words if word not in shown] == [], section
        for scheme, ground in (("light", "rgb(255, 255, 255)"), ("dark", "rgb(21, 24, 28)")):
            seen.emulate(scheme)
            assert seen.run("getComputedStyle(document.body).backgroundColor") == ground
            seen.screenshot(tmp_path / f"plugin-{scheme}.png")
        seen.run("document.getElementById('reason').focus()")
        seen.type("the change is small and clear")
        seen.press("Tab")
        assert seen.run("document.activeElement.value") == "approve"
        assert seen.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        seen.press("Enter", "\r")
        seen.settle()
        assert "the change is small and clear" in seen.run("document.body.innerText")
        assert seen.run("document.querySelector('h1 .badge').textContent") == "approved"
        assert all(url.startswith((server.url, "about:")) for url in seen.requested), seen.requested
        assert seen.complaints == [complaint for complaint in seen.complaints if "favicon" in complaint]
    shown = publisher.client.get(f"/plugins/{NAME}_1_0_0").json()["plugin"]
    assert shown["decisions"][-1]["reason"] == "the change is small and clear"


def test_pages_carry_a_strict_policy(page):
    for path in ("/review/login", "/review/style.css", "/review/ns_x/x_1_0_0"):
        headers = page.get(path).headers
        if "content-security-policy" in headers:
            assert "default-src 'none'" in headers["content-security-policy"]
            assert "unsafe" not in headers["content-security-policy"]
            assert headers["cache-control"] == "no-store"
    assert page.get("/review").headers["location"] == "/review/login"


def test_the_cookie_is_out_of_reach(server, page):
    answer = page.post("/review/login", data={"key": server.key(Role.REVIEWER, "ns_cookie")})
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Path=/review" in cookie


def test_only_reviewers_log_in(server, page):
    publisher = page.post("/review/login", data={"key": server.key(Role.PUBLISHER, "ns_p")})
    assert (publisher.status_code, "set-cookie" in publisher.headers) == (403, False)
    guessed = page.post("/review/login", data={"key": "sk_guessed"})
    assert (guessed.status_code, "MIXPEEK_API_KEY" in guessed.text) == (401, False)
    assert "not valid here" in guessed.text


def test_what_is_missing_is_told_to_a_reviewer_in_their_own_words(server, page):
    logged_in(server, page, "ns_missing")
    told = {
        "/review/ns_missing/x_1_0_0": "There is no such release here",
        "/review/ns_other/x_1_0_0": "There is no such release here",
        "/review/a/b/c/d": "There is no such page here",
    }
    for path, words in told.items():
        missing = page.get(path)
        assert (missing.status_code, missing.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert words in missing.text
        assert "mixpeek" not in missing.text.partition("<main")[2]


def test_a_missing_file_is_no_missing_release(server, publisher, page, archive):
    publisher.publish(archive)
    logged_in(server, page, publisher.namespace)
    release = f"/review/{publisher.namespace}/{NAME}_1_0_0"
    missing = page.get(f"{release}/file", params={"name": "none.py"})
    assert missing.status_code == 404
    assert "There is no such file in this release" in missing.text
    assert f'href="{release}"' in missing.text
    assert "no such release" not in missing.text


def test_the_queue_has_one_page_with_and_without_a_slash(server, page):
    assert page.get("/review/").headers["location"] == "/review/login"
    logged_in(server, page, "ns_slash")
    for path in ("/review", "/review/"):
        answer = page.get(path)
        assert (answer.status_code, "Releases: pending" in answer.text) == (200, True)


def test_forms_of_others_are_refused(server, publisher, page, archive):
    publisher.publish(archive)
    path = f"/review/{publisher.namespace}/{NAME}_1_0_0"
    token = logged_in(server, page, publisher.namespace)
    form = {"verdict": "approve", "reason": "because"}
    assert page.post(path, data={**form, "form_token": "guessed"}).status_code == 403
    foreign = {"Origin": "https://elsewhere.example.com"}
    assert page.post(path, data={**form, "form_token": token}, headers=foreign).status_code == 403
    assert page.post(path, data={**form, "reason": " ", "form_token": token}).status_code == 400
    assert publisher.client.get(f"/plugins/{NAME}_1_0_0").json()["plugin"]["review_status"] == "pending"
    assert page.post(path, data={**form, "form_token": token}).status_code == 303
    assert publisher.client.get(f"/plugins/{NAME}_1_0_0").json()["plugin"]["review_status"] == "approved"


def test_a_reviewer_sees_their_own_namespaces_alone(server, publisher, page, archive):
    publisher.publish(archive)
    token = logged_in(server, page, "ns_elsewhere")
    path = f"/review/{publisher.namespace}/{NAME}_1_0_0"
    assert page.get(path).status_code == 404
    assert publisher.namespace not in page.get("/review").text
    form = {"verdict": "approve", "reason": "because", "form_token": token}
    assert page.post(path, data=form).status_code == 404


def test_a_revoked_key_ends_its_session(server, page):
    key_id, key = server.registry.keys.create("leaving", Role.REVIEWER, ["ns_left"])
    page.post("/review/login", data={"key": key})
    assert page.get("/review").status_code == 200
    server.registry.keys.revoke(key_id)
    assert page.get("/review").status_code == 303


def test_logging_out_ends_the_session(server, page):
    token = logged_in(server, page, "ns_out")
    cookie = page.cookies["mixpeek_review"]
    page.post("/review/logout", data={"form_token": token})
    assert page.get("/review", headers={"Cookie": f"mixpeek_review={cookie}"}).status_code == 303


def test_a_reviewer_reads_the_files_of_an_archive(server, publisher, page, tmp_path):
    plugin = make_plugin(tmp_path)
    plugin.write("notes.txt", "<script>x</script> \x1b[2J\nVALUE = 1\n")
    answer = publisher.publish(packed(plugin.root))
    assert answer["validation_status"] == "passed", answer
    release = f"/review/{publisher.namespace}/{NAME}_1_0_0"
    assert page.get(f"{release}/file", params={"name": "notes.txt"}).headers["location"] == "/review/login"
    logged_in(server, page, publisher.namespace)
    assert f'href="{release}/file?name=notes.txt"' in page.get(release).text
    shown = page.get(f"{release}/file", params={"name": "notes.txt"})
    assert shown.status_code == 200
    assert "&lt;script&gt;x&lt;/script&gt; &lt;U+001B&gt;[2J" in shown.text
    assert "<script" not in shown.text
    assert '<span id="L2">     2  VALUE = 1</span>' in shown.text
    for name in ("none.py", "../registry.sqlite", ""):
        assert page.get(f"{release}/file", params={"name": name}).status_code == 404
    logged_in(server, page, "ns_elsewhere")
    assert page.get(f"{release}/file", params={"name": "notes.txt"}).status_code == 404


TRICKS = "\u200b\u3164\u115f\u202e\u2066\ufe0f\U000e0041\u2800"


def test_what_is_not_seen_is_shown_wherever_a_strangers_text_stands(server, publisher, page, tmp_path):
    plugin = make_plugin(tmp_path)
    name = "a\u3164b.txt"
    plugin.write(name, f"one{TRICKS}two\n")
    plugin.replace("manifest.py", '"version": "1.0.0"', '"version": "1.0.0", "dependencies": ["numpy\u200b>=1"]')
    description = "".join(character for character in TRICKS if character not in "\u202e\u2066")
    answer = publisher.publish(packed(plugin.root), description=f"mine{description}")
    assert answer["validation_status"] == "passed", answer
    logged_in(server, page, publisher.namespace)
    release = f"/review/{publisher.namespace}/{NAME}_1_0_0"
    reviewer = server.publisher(publisher.namespace, Role.REVIEWER)
    reviewer.client.post(f"/plugins/{NAME}_1_0_0/decisions", json={"verdict": "approve", "reason": "seen\u3164"})
    shown = page.get(f"{release}/file", params={"name": name}).text
    assert "one&lt;U+200B&gt;&lt;U+3164&gt;&lt;U+115F&gt;&lt;U+202E&gt;&lt;U+2066&gt;&lt;U+FE0F&gt;" in shown
    assert "<h1>a&lt;U+3164&gt;b.txt</h1>" in shown
    assert "not seen or that move others" in shown
    pages = [shown, page.get(release).text, page.get("/review?state=approved").text]
    assert ["mine&lt;U+200B&gt;&lt;U+3164&gt;" in text for text in pages] == [False, True, True]
    assert "a%E3%85%A4b.txt" in pages[1]
    assert "seen&lt;U+3164&gt;" in pages[1]
    assert "numpy&lt;U+200B&gt;&gt;=1" in pages[1]
    assert [character for text in pages for character in TRICKS if character in text] == []


def test_the_archive_is_not_fetched_for_each_of_its_files(server, publisher, page, tmp_path):
    plugin = make_plugin(tmp_path)
    plugin.write("one.txt", "the first\n")
    plugin.write("two.txt", "the second\n")
    data = packed(plugin.root)
    publisher.publish(data)
    logged_in(server, page, publisher.namespace)
    path = f"/review/{publisher.namespace}/{NAME}_1_0_0/file"
    assert "the first" in page.get(path, params={"name": "one.txt"}).text
    digest = sha256_bytes(data)
    server.registry.storage.remove(f"archives/{digest[:2]}/{digest}")
    assert "the second" in page.get(path, params={"name": "two.txt"}).text


def test_lines_with_findings_are_marked_and_what_is_no_text_is_not_shown(server, publisher, page, tmp_path):
    plugin = make_plugin(tmp_path)
    plugin.write("run.sh", "#!/bin/sh\ntrue\n")
    (plugin.root / "names.txt").write_bytes("Gr\u00fcn".encode("latin-1"))
    answer = publisher.publish(packed(plugin.root))
    assert answer["validation_status"] == "passed", answer
    logged_in(server, page, publisher.namespace)
    path = f"/review/{publisher.namespace}/{NAME}_1_0_0/file"
    script = page.get(path, params={"name": "run.sh"}).text
    assert '<span id="L1" class="warned">▸    1  #!/bin/sh</span>' in script
    assert "not text" in page.get(path, params={"name": "names.txt"}).text
