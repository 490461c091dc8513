"""The resolver is run in a cleared environment, once for each question."""

from pathlib import Path

import pytest

from images import lock as subject
from images.lock import resolve
from images.requirements import read_requirements, requirement_set
from toolchain.core.errors import DependencyFault, NetworkUnavailable
from toolchain.core.process import Completed

PYLOCK = (
    'lock-version = "1.0"\n[[packages]]\nname = "pkg"\nversion = "1.0"\n'
    'wheels = [{ url = "https://index.test/pkg-1.0-py3-none-any.whl", hashes = { sha256 = "'
    + "ab" * 32
    + '" } }]\n'
)


class FakeResolver:
    """Stands for uv: records how it was called and writes a lock or a refusal."""

    def __init__(self):
        self.calls = []
        self.stderr = None

    def __call__(self, argv, *, timeout, env, cwd):
        assert timeout > 0
        self.calls.append((argv, env, sorted(path.name for path in Path(cwd).iterdir()), cwd))
        self.requirements = (Path(cwd) / "requirements.in").read_text().split("\n")[:-1]
        if self.stderr is None:
            (Path(cwd) / "pylock.toml").write_text(PYLOCK)
        return Completed(tuple(argv), 0 if self.stderr is None else 1, "", self.stderr or "", 0.1)


@pytest.fixture
def resolver(monkeypatch):
    fake = FakeResolver()
    monkeypatch.setattr(subject, "run", fake)
    return fake


def wanted(*lines):
    return requirement_set(lines, source="manifest.py")


def test_the_platforms_requirements_are_always_there(resolver, cache, target):
    resolve(wanted("requests>=2"), target, cache)
    assert resolver.requirements == ["numpy>=1.26", "pandas>=2.2", "pyarrow>=17", "pydantic>=2.7", "requests>=2"]


def test_the_resolver_sees_nothing_of_the_users(resolver, cache, target, monkeypatch):
    for name in ("UV_INDEX_URL", "PIP_INDEX_URL", "UV_NO_BINARY", "PYTHONPATH", "VIRTUAL_ENV", "SECRET"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("SSL_CERT_FILE", "/ca.pem")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test")
    resolve(wanted(), target, cache)
    argv, environment, files, cwd = resolver.calls[0]
    assert set(environment) <= {
        "PATH", "HOME", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "ALL_PROXY",
        "https_proxy", "http_proxy", "no_proxy", "all_proxy", "UV_HTTP_RETRIES",
    }  # fmt: skip
    assert environment["HOME"] == str(cwd)
    assert files == ["requirements.in"]
    options = " ".join(argv)
    assert "--only-binary :all:" in options
    assert "--no-config" in options
    assert "--python-platform x86_64-manylinux_2_36 --python-version 3.11.2" in options
    assert "--index-strategy first-index" in options


def test_the_one_index_goes_through_the_environment(resolver, cache, target, monkeypatch):
    monkeypatch.setenv("MIXPEEK_INDEX_URL", "https://user:hunter2@index.test/simple")
    resolve(wanted(), target, cache)
    argv, environment, _, _ = resolver.calls[0]
    assert environment["UV_DEFAULT_INDEX"] == "https://user:hunter2@index.test/simple"
    assert "hunter2" not in " ".join(argv)
    assert "hunter2" not in "".join(str(path) for path in cache.root.rglob("*"))


def test_the_same_question_is_asked_once(resolver, cache, target):
    first = resolve(wanted("a", "b"), target, cache)
    second = resolve(wanted("b", "a"), target, cache)
    assert (first.cached, second.cached, len(resolver.calls)) == (False, True, 1)
    assert first.lock == second.lock


def test_upgrade_asks_again(resolver, cache, target):
    resolve(wanted("a"), target, cache)
    assert not resolve(wanted("a"), target, cache, upgrade=True).cached
    assert len(resolver.calls) == 2


def test_another_index_is_another_question(resolver, cache, target, monkeypatch):
    resolve(wanted("a"), target, cache)
    monkeypatch.setenv("MIXPEEK_INDEX_URL", "https://index.test/simple")
    assert not resolve(wanted("a"), target, cache).cached


def test_refused_requirements_never_reach_the_resolver(resolver, cache, target, tmp_path):
    refused = read_requirements(tmp_path, [("-e .", 3)])
    with pytest.raises(DependencyFault, match="editable") as caught:
        resolve(refused, target, cache)
    assert caught.value.where == "manifest.py:3"
    assert resolver.calls == []


def refusal(resolver, cache, target, stderr, *lines):
    resolver.stderr = stderr
    with pytest.raises((DependencyFault, NetworkUnavailable)) as caught:
        resolve(read_requirements(Path("absent"), [(line, n) for n, line in enumerate(lines, 1)]), target, cache)
    assert not list(cache.root.glob("locks-resolved/*"))
    return caught.value


def test_a_version_that_does_not_exist_is_the_users_line(resolver, cache, target):
    stderr = (
        "error: No solution found when resolving dependencies\n"
        "  cause: Because only pandas<=3.1.1 is available and you require pandas>=99, we can conclude that your"
        " requirements are unsatisfiable.\n"
    )
    fault = refusal(resolver, cache, target, stderr, "requests", "pandas>=99")
    assert isinstance(fault, DependencyFault)
    assert fault.where == "manifest.py:2"
    assert "`pandas>=99`" in fault.message
    assert "only pandas<=3.1.1 is available" in fault.message
    assert "version" in fault.remedy


def test_a_name_that_does_not_exist_is_spelled_out(resolver, cache, target):
    stderr = (
        "error: No solution found when resolving dependencies\n  cause: Because nosuch was not found in the"
        " package registry and you require nosuch, we can conclude that your requirements are unsatisfiable.\n"
    )
    assert "spelling of 'nosuch'" in refusal(resolver, cache, target, stderr, "nosuch").remedy


def test_a_refused_login_is_not_taken_for_a_missing_package(resolver, cache, target):
    """What uv 0.13 says of a wrong password."""
    stderr = (
        "error: No solution found when resolving dependencies\n  cause: Because demo was not found in the package"
        " registry and you require demo, we can conclude that your requirements are unsatisfiable.\n\nhint: An"
        " index URL (https://localhost:1/simple) could not be queried due to a lack of valid authentication"
        " credentials (401 Unauthorized)\n"
    )
    fault = refusal(resolver, cache, target, stderr, "demo")
    assert isinstance(fault, NetworkUnavailable)
    assert "401 Unauthorized" in fault.message
    assert "MIXPEEK_INDEX_URL" in fault.remedy


def test_a_package_without_wheels_is_named(resolver, cache, target):
    stderr = (
        "error: No solution found when resolving dependencies\n  cause: Because all versions of docopt have no"
        " usable wheels and you require docopt, we can conclude that your requirements are unsatisfiable.\n\n"
        "hint: Wheels are required for `docopt` because building from source is disabled for all packages\n"
    )
    fault = refusal(resolver, cache, target, stderr, "docopt")
    assert "'docopt'" in fault.remedy
    assert "nothing is built from source" in fault.remedy
    assert "hint" not in fault.message


def test_an_index_out_of_reach_is_the_network(resolver, cache, target):
    stderr = (
        "error: Request failed after 3 retries in 8.5s\n  cause: Failed to fetch: https://u:hunter2@index.test/simple/\n"
        "  cause: tcp connect error\n  cause: Connection refused (os error 111)\n"
    )
    fault = refusal(resolver, cache, target, stderr, "pandas")
    assert isinstance(fault, NetworkUnavailable)
    assert "Connection refused" in fault.message
    assert "hunter2" not in str(fault)


@pytest.mark.parametrize(
    "damage", [b"", b"\0" * 100, b"\xff\xfe", b'lock-version = "1.0"\n[[packages]]\nname = "pkg"\n']
)
def test_a_kept_lock_that_a_disk_damaged_is_resolved_anew(resolver, cache, target, damage):
    first = resolve(wanted("a"), target, cache)
    (kept,) = cache.root.glob("locks-resolved/*")
    kept.write_bytes(damage)
    again = resolve(wanted("a"), target, cache)
    assert (again.lock, again.cached) == (first.lock, False)
    assert resolve(wanted("a"), target, cache).cached
