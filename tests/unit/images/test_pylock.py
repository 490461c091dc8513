"""Only wheels with hashes that fit the image get out of a lock."""

import pytest

from images.pylock import parse_pylock
from images.target import Target
from toolchain.core.errors import DependencyFault

SHA = "ab" * 32


def lock(*wheels, name="pkg", extra=""):
    entries = ",".join(
        f'{{ url = "{url}", size = 10, hashes = {{ sha256 = "{digest}" }} }}' for url, digest in wheels
    )
    return f'lock-version = "1.0"\n[[packages]]\nname = "{name}"\nversion = "1.0"\n{extra}\nwheels = [{entries}]\n'


def wheel(tags, digest=SHA):
    return f"https://index.test/pkg-1.0-{tags}.whl", digest


def test_the_best_fitting_wheel_is_taken(target):
    text = lock(
        wheel("py3-none-any", "00" * 32),
        wheel("cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64", "11" * 32),
        wheel("cp311-cp311-manylinux_2_28_x86_64", "22" * 32),
        wheel("cp311-cp311-manylinux_2_39_x86_64", "33" * 32),
        wheel("cp311-cp311-musllinux_1_2_x86_64", "44" * 32),
        wheel("cp312-cp312-manylinux_2_28_x86_64", "55" * 32),
    )
    assert parse_pylock(text, target).wheels[0].sha256 == "22" * 32


@pytest.mark.parametrize(
    ("tags", "fits"),
    [
        ("cp38-abi3-manylinux2014_x86_64", True),
        ("py2.py3-none-any", True),
        ("py3-none-manylinux1_x86_64", True),
        ("cp311-cp311-manylinux_2_17_aarch64", False),
        ("cp311-cp311-win_amd64", False),
        ("cp311-cp311-linux_x86_64", False),
        ("cp312-abi3-manylinux2014_x86_64", False),
    ],
)
def test_tags_decide_what_fits(target, tags, fits):
    if fits:
        assert parse_pylock(lock(wheel(tags)), target).wheels
    else:
        with pytest.raises(DependencyFault, match="no wheel for Python"):
            parse_pylock(lock(wheel(tags)), target)


def test_another_machine_takes_its_own_wheels():
    arm = Target("3.11.2", "2.36", "arm64")
    assert parse_pylock(lock(wheel("cp311-cp311-manylinux_2_17_aarch64")), arm).wheels
    assert arm.uv_platform == "aarch64-manylinux_2_36"


@pytest.mark.parametrize(
    "text",
    [
        "lock-version = ",
        'lock-version = "2.0"\n',
        'lock-version = "1.0"\npackages = 1\n',
        lock(("https://index.test/pkg-1.0-py3-none-any.whl", "")),
        lock(("file:///tmp/pkg-1.0-py3-none-any.whl", SHA)),
        lock(),
        lock(wheel("py3-none-any"), name="engine"),
        lock(wheel("py3-none-any"), name="numpy"),
        lock(("https://index.test/pkg-2.0-py3-none-any.whl", SHA)),
        'lock-version = "1.0"\n[[packages]]\nname = "x"\nsdist = { url = "https://x.test/x.tar.gz" }\n',
        'lock-version = "1.0"\n[[packages]]\nname = "x"\nvcs = { type = "git", url = "https://x.test/x" }\n',
    ],
)
def test_anything_else_is_refused(target, text):
    with pytest.raises(DependencyFault):
        parse_pylock(text, target)


def test_a_package_for_another_platform_is_left_out(target):
    text = lock(wheel("cp311-cp311-win_amd64"), extra="marker = \"sys_platform == 'win32'\"")
    assert parse_pylock(text, target).wheels == ()


def test_the_digest_is_of_what_is_installed_not_of_where_it_lies(target):
    one = parse_pylock(lock(wheel("py3-none-any")), target)
    moved = parse_pylock(lock(("https://mirror.test/a/pkg-1.0-py3-none-any.whl", SHA)), target)
    other = parse_pylock(lock(wheel("py3-none-any", "cd" * 32)), target)
    assert one.digest == moved.digest != other.digest
    assert one.digest != parse_pylock(lock(wheel("py3-none-any")), Target("3.11.3", "2.36", "amd64")).digest


def packages(entry, extra=""):
    head = 'lock-version = "1.0"\n[[packages]]\nname = "pkg"\nversion = "1.0"\n'
    return f"{head}{extra}\nwheels = [{entry}]\n"


GOOD = '{ url = "https://index.test/pkg-1.0-py3-none-any.whl", hashes = { sha256 = "' + SHA + '" } }'


@pytest.mark.parametrize(
    "text",
    [
        packages(GOOD, 'marker = "sys_platform =="'),
        packages(GOOD, "marker = \"nonsense == 'x'\""),
        packages(GOOD, f'marker = "{"(" * 100_000}"'),
        packages(GOOD, "marker = 7"),
        packages(GOOD.replace('{ sha256 = "' + SHA + '" }', '["sha256"]')),
        packages(GOOD.replace("hashes", 'size = "many", hashes')),
        packages(GOOD.replace("hashes", "size = -1, hashes")),
        packages(GOOD.replace("hashes", "size = inf, hashes")),
        packages(GOOD.replace("index.test", "[")),
        packages(GOOD).replace('version = "1.0"\n\n', 'version = "?"\n\n'),
        packages(GOOD).replace(f"[{GOOD}]", "7"),
        packages(GOOD) + packages(GOOD).partition("\n")[2],
        packages(GOOD.replace("any", ".".join(["any"] * 5000))),
        f"x = {'[' * 100_000}",
        "lock-version = \udc80",
    ],
    ids=range(15),
)
def test_a_malformed_lock_is_refused_in_words(target, text):
    with pytest.raises(DependencyFault) as caught:
        parse_pylock(text, target)
    assert caught.value.remedy


def test_two_packages_with_the_same_bytes_are_refused(target):
    """Else whoever has the bytes of one passes for the other."""
    other = lock(("https://index.test/numpy-1.0-py3-none-any.whl", SHA), name="numpy").partition("[[packages]]")[2]
    text = lock(wheel("py3-none-any"))
    assert len(parse_pylock(f"{text}[[packages]]{other.replace(SHA, 'cd' * 32)}", target).wheels) == 2
    with pytest.raises(DependencyFault, match="the same bytes"):
        parse_pylock(f"{text}[[packages]]{other}", target)
