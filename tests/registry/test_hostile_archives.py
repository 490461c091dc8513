"""Archives that two programs would read differently are refused by name, and nothing of them is published."""

from __future__ import annotations

import gzip
import random

import pytest

from tests.support.packed import entry, gz, pax, record, tar_of, zip_of
from tests.support.plugins import MANIFEST, NAME, PIPELINE
from tests.support.registries import embedded_only

pytestmark = embedded_only

FILES = {"__init__.py": b"", "manifest.py": MANIFEST.encode(), "pipeline.py": PIPELINE.encode()}


def members(*more: bytes) -> bytes:
    """A plugin's tar with something beside it."""
    return tar_of(*(entry(f"{NAME}/{name}", data) for name, data in sorted(FILES.items())), *more)


HOSTILE = {
    "archive.path-escape": gz(members(entry(f"{NAME}/../../etc/cron.d/x"))),
    "archive.absolute-path": gz(members(entry("/etc/passwd"))),
    "archive.link": gz(members(entry(f"{NAME}/l", b"", b"2", link="/etc/passwd"))),
    "archive.hard-link": gz(members(entry(f"{NAME}/h", b"", b"1", link=f"{NAME}/manifest.py"))),
    "archive.device": gz(members(entry(f"{NAME}/d", b"", b"3"))),
    "archive.pax-size": gz(members(pax(record("size", "1")) + entry(f"{NAME}/z.py", b"x = 1\n"))),
    "archive.multi-member": gz(members()) + gz(tar_of(entry(f"{NAME}/evil.py"))),
    "archive.trailing-bytes": gz(members()) + b"\0" * 512,
    "archive.duplicate": gz(members(entry(f"{NAME}/pipeline.py", b"import os\n"))),
    "archive.case-collision": gz(members(entry(f"{NAME}/Pipeline.py"))),
    "archive.two-top-folders": gz(members(entry("other/x.py"))),
    "archive.bomb": gz(members(entry(f"{NAME}/zeros.bin", bytes(64 << 20)))),
    "archive.truncated": gz(members())[:-30],
    "archive.not-gzip": b"this is no archive at all",
    "archive.not-canonical": gz(members(entry(f"{NAME}/a_unsorted.py"))),
}


@pytest.mark.parametrize("rule", HOSTILE)
def test_hostile_archives_are_refused_by_name(publisher, rule):
    answer = publisher.publish(HOSTILE[rule])
    assert (answer["success"], answer["validation_status"]) == (False, "failed")
    assert [violation["rule"] for violation in answer["violations"]] == [rule]
    assert answer["validation_errors"][0]
    assert publisher.client.get("/plugins").json()["total"] == 0


def test_code_in_a_folder_that_folders_pass_over_is_scanned(publisher):
    """A scan of the unpacked folder would skip `venv`; an import would not."""
    answer = publisher.publish(gz(members(entry(f"{NAME}/venv/evil.py", b"import os\nos.system('true')\n"))))
    assert answer["success"] is False
    assert any(violation["file"] == "venv/evil.py" for violation in answer["violations"])


def test_noise_is_refused_and_never_a_fault_of_ours(publisher):
    random.seed(11)
    good = bytearray(gz(members()))
    for _ in range(12):
        noisy = bytearray(good)
        for _ in range(3):
            noisy[random.randrange(len(noisy))] ^= 1 << random.randrange(8)
        answer = publisher.publish(bytes(noisy))
        if not answer["success"]:
            assert not any(violation["rule"] == "registry.fault" for violation in answer["violations"])
        else:
            assert gzip.decompress(bytes(noisy)) == gzip.decompress(bytes(good))
            break


def test_zips_are_read_as_strictly(publisher):
    link = zip_of((f"{NAME}/../x.py", b""))
    answer = publisher.publish(link)
    assert answer["violations"][0]["rule"].startswith("archive.")
