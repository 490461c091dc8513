"""Makes the sample files of the templates; `plugin init` does not copy this file.

    pip install av numpy pillow soundfile && python make_samples.py

Pictures, sounds and films are drawn from formulas and the documents are our own words, so nothing here has another
owner. The files are checked in: encoders differ between versions, and the templates' tests look at these bytes.
"""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import soundfile
from PIL import Image, ImageDraw, ImageFilter

HERE = Path(__file__).parent
RATE = 16_000  # samples a second
FRAMES_PER_SECOND = 12
WIDTH, HEIGHT = 160, 120


def landscape(sky: tuple, horizon: tuple, ground: tuple, sun: tuple[int, int] | None) -> Image.Image:
    """A sky that fades to the horizon, a sun and a field."""
    image = Image.new("RGB", (WIDTH, HEIGHT), ground)
    draw = ImageDraw.Draw(image)
    for y in range(75):
        draw.line(
            [(0, y), (WIDTH, y)], tuple(int(a + (b - a) * y / 75) for a, b in zip(sky, horizon, strict=True))
        )
    if sun:
        draw.ellipse([sun[0] - 11, sun[1] - 11, sun[0] + 11, sun[1] + 11], (255, 236, 170))
    for y in range(78, HEIGHT, 5):
        draw.line([(0, y), (WIDTH, y - 3)], tuple(int(c * 0.8) for c in ground))
    return image


def bricks() -> Image.Image:
    image = Image.new("RGB", (WIDTH, HEIGHT), (196, 186, 172))
    draw = ImageDraw.Draw(image)
    shades = np.random.default_rng(1).integers(-14, 14, size=200)
    for row in range(8):
        for column in range(-1, 6):
            x, y, shade = column * 30 + row % 2 * 15, row * 15, int(shades[row * 7 + column])
            draw.rectangle([x + 1, y + 1, x + 28, y + 13], (158 + shade, 70 + shade, 52 + shade))
    return image


def stripes() -> Image.Image:
    image = Image.new("RGB", (WIDTH, HEIGHT), (245, 245, 240))
    draw = ImageDraw.Draw(image)
    for x in range(0, WIDTH, 20):
        draw.rectangle([x, 0, x + 9, HEIGHT], (28, 42, 84))
    return image


def badge() -> Image.Image:
    """A disc with a ring on a transparent ground."""
    image = Image.new("RGBA", (HEIGHT, HEIGHT), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    draw.ellipse([8, 8, 111, 111], (18, 120, 110, 255))
    draw.ellipse([34, 34, 85, 85], (250, 200, 60, 255))
    return image


def pictures() -> dict[str, Image.Image]:
    return {
        "sunset.jpg": landscape((70, 50, 110), (250, 140, 60), (60, 44, 40), (110, 62)),
        "dusk.jpg": landscape((60, 46, 118), (240, 128, 70), (56, 40, 42), (60, 66)).filter(ImageFilter.BLUR),
        "meadow.jpg": landscape((90, 160, 235), (200, 228, 250), (86, 150, 60), (36, 24)),
        "bricks.png": bricks(),
        "stripes.png": stripes(),
        "badge.png": badge(),
    }


def seconds(duration: float) -> np.ndarray:
    return np.arange(int(RATE * duration)) / RATE


def bell() -> np.ndarray:
    time = seconds(1.0)
    partials = [(1.0, 523.0), (0.6, 1046.0), (0.4, 1318.0), (0.2, 2093.0)]
    return sum(a * np.sin(2 * np.pi * f * time) * np.exp(-time * (2 + f / 500)) for a, f in partials) * 0.4


def chirp() -> np.ndarray:
    time = seconds(1.0)
    return 0.5 * np.sin(2 * np.pi * (300 * time + 1200 * time**2))


def rain() -> np.ndarray:
    noise = np.random.default_rng(2).normal(size=RATE)
    return 0.08 * np.convolve(noise, [0.5, 0.9, 0.5], mode="same")


def drum() -> np.ndarray:
    since_beat = seconds(1.0) % 0.25
    return 0.8 * np.sin(2 * np.pi * (150 - 250 * since_beat) * since_beat) * np.exp(-since_beat * 22)


def ball(place: float) -> Image.Image:
    """A red ball that crosses a grey room from left to right; ``place`` runs from 0 to 1."""
    image = Image.new("RGB", (WIDTH, HEIGHT), (120, 124, 130))
    draw = ImageDraw.Draw(image)
    draw.rectangle([0, 95, WIDTH, HEIGHT], (90, 84, 80))
    x = int(15 + place * (WIDTH - 30))
    draw.ellipse([x - 14, 66, x + 14, 94], (205, 40, 40))
    return image


def meadow(_place: float) -> Image.Image:
    return pictures()["meadow.jpg"]


def slides(place: float) -> Image.Image:
    """Three pictures, one after the other."""
    return [stripes(), bricks(), pictures()["sunset.jpg"]][min(int(place * 3), 2)]


def write_film(path: Path, draw: Callable[[float], Image.Image], duration: float = 2.0) -> None:
    count = int(duration * FRAMES_PER_SECOND)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FRAMES_PER_SECOND, options={"crf": "30", "g": "12"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.time_base = Fraction(1, FRAMES_PER_SECOND)
        for i in range(count):
            container.mux(stream.encode(av.VideoFrame.from_image(draw(i / (count - 1)))))
        container.mux(stream.encode(None))


def write_pdf(path: Path, pages: list[list[str]]) -> None:
    """Write lines of Latin-1 text, one list a page, the first line of each page larger."""
    kids = " ".join(f"{4 + 2 * i} 0 R" for i in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for i, lines in enumerate(pages):
        shown = [line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)") for line in lines]
        body = "".join(f"({line}) Tj T* " for line in shown[1:])
        stream = f"BT /F1 16 Tf 60 760 Td ({shown[0]}) Tj /F1 11 Tf 16 TL 0 -30 Td {body}ET"
        objects.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] "
            f"/Resources << /Font << /F1 3 0 R >> >> /Contents {5 + 2 * i} 0 R >>"
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    output, offsets = "%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(output))
        output += f"{number} 0 obj\n{content}\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    size = len(objects) + 1
    end = f"trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{len(output)}\n%%EOF\n"
    path.write_bytes(f"{output}xref\n0 {size}\n0000000000 65535 f \n{table}{end}".encode("latin-1"))


RECIPE = [
    [
        "Bread with rye and caraway",
        "Stir the rye flour, the water and the sourdough into a thick dough.",
        "Add caraway and salt, knead the dough for ten minutes and let it rise overnight.",
        "Bake the loaf in a hot oven for fifty minutes until the crust is dark.",
    ]
]
BAKERY = [
    [
        "Opening a small bakery",
        "A bakery needs a large oven, a machine to knead the dough and room to let it rise overnight.",
        "Bread of rye flour and sourdough, with caraway and a dark crust, sells before eight.",
    ],
    [
        "Costs",
        "Flour, electricity and rent are paid monthly; the oven is paid over five years.",
    ],
]
MANUAL = [
    [
        "Water pump P-200: installation",
        "Mount the pump on a level base and connect the suction pipe below the water line.",
        "Fill the housing with water before the first start; the motor must never run dry.",
    ],
    [
        "Maintenance",
        "Check the shaft seal and the motor bearing every five hundred hours.",
        "Drain the pump and the pipe before frost.",
    ],
]


def save_pictures(folder: Path, names: list[str]) -> None:
    for name in names:
        pictures()[name].save(folder / name, quality=80)


def save_sounds(folder: Path, sounds: dict[str, Callable[[], np.ndarray]]) -> None:
    for name, sound in sounds.items():
        soundfile.write(folder / name, sound(), RATE, subtype="PCM_16")


def folder_of(category: str) -> Path:
    folder = HERE / category / "samples"
    folder.mkdir(exist_ok=True)
    return folder


def main() -> None:
    save_pictures(folder_of("image"), list(pictures()))
    save_sounds(folder_of("audio"), {"bell.wav": bell, "chirp.wav": chirp, "rain.flac": rain, "drum.flac": drum})
    for name, draw in {"ball.mp4": ball, "meadow.mp4": meadow, "slides.mp4": slides}.items():
        write_film(folder_of("video") / name, draw)
    for name, pages in {"recipe.pdf": RECIPE, "bakery.pdf": BAKERY, "manual.pdf": MANUAL}.items():
        write_pdf(folder_of("document") / name, pages)
    mixed = folder_of("multimodal")
    save_pictures(mixed, ["sunset.jpg", "bricks.png"])
    save_sounds(mixed, {"bell.flac": bell, "rain.flac": rain})
    write_pdf(mixed / "recipe.pdf", RECIPE)
    write_pdf(mixed / "manual.pdf", MANUAL)


if __name__ == "__main__":
    main()
