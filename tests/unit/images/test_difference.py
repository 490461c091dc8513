"""What a preparation changed, as a layer of its own."""

import io
import tarfile

from images.base.normalise import difference, normalised


def tar(*entries):
    """A tar of (name, contents) with ``None`` for a folder, and of ready-made members."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for entry in entries:
            if isinstance(entry, tarfile.TarInfo):
                archive.addfile(entry)
                continue
            name, content, *mode = entry
            member = tarfile.TarInfo(name)
            member.mode = mode[0] if mode else 0o755 if content is None else 0o644
            member.mtime = 12345
            member.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
            member.size = len(content or b"")
            archive.addfile(member, io.BytesIO(content or b""))
    stream.seek(0)
    return stream


def link(name, target, kind=tarfile.LNKTYPE):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def changes(before, after):
    output = io.BytesIO()
    difference([before], after, "image", output)
    output.seek(0)
    with tarfile.open(fileobj=output) as archive:
        return {
            member.name: archive.extractfile(member).read() if member.isreg() else member.type
            for member in archive
        }


def test_what_stays_is_not_in_it():
    before = tar(("usr", None), ("usr/a", b"1"), ("usr/b", b"2"))
    after = tar(("image", None), ("image/usr", None), ("image/usr/a", b"1"), ("image/usr/b", b"3"))
    assert changes(before, after) == {"usr/b": b"3"}


def test_new_files_modes_and_links_are():
    before = tar(("bin", None), ("bin/su", b"x", 0o4755))
    after = tar(("image", None), ("image/bin", None), ("image/bin/su", b"x", 0o755), link("image/l", "bin", b"2"))
    assert changes(before, after) == {"bin/su": b"x", "l": tarfile.SYMTYPE}


def test_what_is_gone_is_marked_once():
    before = tar(("a", None), ("a/b", None), ("a/b/c", b"1"), ("etc", None), ("etc/hosts", b""))
    assert changes(before, tar(("image", None), ("image/a", None), ("image/etc", None))) == {"a/.wh.b": b""}


def test_a_changed_file_with_two_names_changes_under_both():
    """A hard link cannot lead into the layer below."""
    before = tar(("one", b"x", 0o4755), link("two", "one"))
    after = tar(("image", None), ("image/one", b"x", 0o755), link("image/two", "image/one"))
    assert changes(before, after) == {"one": b"x", "two": b"x"}


def test_a_whole_file_system_carries_no_marks():
    output = io.BytesIO()
    normalised([tar(("a", b"1"), ("b", b"2")), tar((".wh.a", b""))], output, whole=True)
    output.seek(0)
    with tarfile.open(fileobj=output) as archive:
        assert archive.getnames() == ["b"]
