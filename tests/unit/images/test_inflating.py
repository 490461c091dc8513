"""What zipfile reads of an entry is read here as well, but for a stream that does not end."""

import zipfile
import zlib

import pytest

from images.inflating import DAMAGE, unpacked


@pytest.fixture
def archive_of(tmp_path):
    """An archive with one deflated entry: its packed bytes as they stand, and what they are of."""

    def make(packed, data):
        path = tmp_path / "archive.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("file", packed)
            entry = archive.infolist()[0]
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.CRC, entry.file_size = zlib.crc32(data), len(data)
        written = bytearray(path.read_bytes())
        fields = zipfile.ZIP_DEFLATED.to_bytes(2, "little"), zlib.crc32(data).to_bytes(4, "little")
        sizes = len(packed).to_bytes(4, "little") + len(data).to_bytes(4, "little")
        written[8:10], written[14:18], written[18:26] = *fields, sizes
        path.write_bytes(written)
        return path

    return make


def read(path):
    with zipfile.ZipFile(path) as archive:
        return b"".join(unpacked(archive, archive.getinfo("file")))


def deflated(data, flush=zlib.Z_FINISH):
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush(flush)


@pytest.mark.parametrize("data", [b"", b"x" * 3_000_000])
def test_what_was_packed_is_unpacked(archive_of, data):
    assert read(archive_of(deflated(data), data)) == data


def test_an_empty_file_may_be_packed_into_no_bytes(archive_of):
    assert read(archive_of(b"", b"")) == b""


def test_no_bytes_are_no_file_that_has_some(archive_of):
    with pytest.raises(DAMAGE, match="end too early"):
        read(archive_of(b"", b"x"))


def test_a_stream_without_its_end_is_refused_though_zipfile_reads_it(archive_of):
    path = archive_of(deflated(b"whole", zlib.Z_SYNC_FLUSH), b"whole")
    with zipfile.ZipFile(path) as archive:
        assert archive.read("file") == b"whole"
    with pytest.raises(DAMAGE, match="end too early"):
        read(path)
