"""Layers made by tools with clocks become one layer without."""

import io
import tarfile

from images.base.normalise import normalised


def layer(*entries):
    """Entries are (name, data or None for a folder, or a TarInfo)."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, data in entries:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.mtime, info.uname = 1_700_000_000, "somebody"
            if data is None and info.type == tarfile.REGTYPE:
                info.type = tarfile.DIRTYPE
            info.size = len(data or b"")
            archive.addfile(info, io.BytesIO(data or b""))
    stream.seek(0)
    return stream


def merged(*layers):
    output = io.BytesIO()
    normalised(layers, output)
    output.seek(0)
    with tarfile.open(fileobj=output) as archive:
        return {
            member.name: (member, archive.extractfile(member).read() if member.isreg() else None)
            for member in archive
        }


def special(name, kind, link=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info, None


def test_times_names_and_order_are_gone():
    found = merged(layer(("./b", b"2"), ("./", None), ("./a", None), ("./a/x", b"1")))
    assert list(found) == ["a", "a/x", "b"]
    assert all(member.mtime == 0 and member.uname == "" for member, _ in found.values())
    one, two = io.BytesIO(), io.BytesIO()
    normalised([layer(("a", b"1"), ("b", b"2"))], one)
    normalised([layer(("b", b"2"), ("a", b"1"))], two)
    assert one.getvalue() == two.getvalue()


def test_the_upper_layer_wins():
    assert merged(layer(("a", b"old")), layer(("a", b"new")))["a"][1] == b"new"


def test_a_removal_goes_down_to_what_is_below_and_takes_what_is_here():
    found = merged(layer(("d", None), ("d/x", b"1"), ("e", b"2")), layer(("d/.wh.x", b""), (".wh.e", b"")))
    assert set(found) == {"d", "d/.wh.x", ".wh.e"}


def test_what_comes_again_is_there():
    assert set(merged(layer((".wh.a", b"")), layer(("a", b"1")))) == {"a"}


def test_an_opaque_folder_hides_what_was_in_it():
    assert set(merged(layer(("d", None), ("d/x", b"")), layer(("d/.wh..wh..opq", b""), ("d/y", b"")))) == {
        "d",
        "d/.wh..wh..opq",
        "d/y",
    }


def test_devices_are_left_out_and_links_kept():
    found = merged(
        layer(
            special("dev/null", tarfile.CHRTYPE),
            special("pipe", tarfile.FIFOTYPE),
            special("s", tarfile.SYMTYPE, "/usr/bin/x"),
            ("f", b"1"),
            special("h", tarfile.LNKTYPE, "./f"),
        )
    )
    assert set(found) == {"s", "f", "h"}
    assert found["s"][0].linkname == "/usr/bin/x"
    assert found["h"][0].linkname == "f"


def test_what_engines_mount_themselves_is_left_out():
    found = merged(
        layer(("etc", None), ("etc/resolv.conf", b"nameserver"), ("etc/hostname", b"me"), ("etc/os-release", b""))
    )
    assert set(found) == {"etc", "etc/os-release"}
    output = io.BytesIO()
    normalised([layer(("run", None), ("run2", None))], output, without={"run"})
    assert b"run2" in output.getvalue()
    assert b"run/" not in output.getvalue()
