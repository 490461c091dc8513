"""What an image needs of the machine it runs on, derived from the wheels in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from images.cuda.evidence import Evidence, Wheel, evidence
from images.cuda.versions import CudaVersion
from toolchain.core.errors import DependencyFault

# Documented floors above that of the line. jax: "Installation, NVIDIA GPU" (SM 5.2 on CUDA 12, 7.5 on CUDA 13).
_CAPABILITIES: Final = {("jax-cuda12-plugin", 12): (5, 2), ("jax-cuda13-plugin", 13): (7, 5)}
# Their wheels hold kernels for a list of devices that neither name nor version tells.
_OWN_KERNELS: Final = frozenset({"onnxruntime-gpu", "tensorflow", "torch", "torchaudio", "torchvision", "triton"})
# Packages that load a library of CUDA only when they use it: without the second they import and then fail.
_COMPANIONS: Final = (
    ("cupy-cuda", ("nvidia-cuda-nvrtc",), "compiles its kernels with NVRTC"),
    ("onnxruntime-gpu", ("nvidia-cublas", "nvidia-cudnn"), "loads cuBLAS and cuDNN when a session starts"),
)


@dataclass(frozen=True)
class CudaNeeds:
    """The CUDA of an image.

    ``version`` is its line, ``None`` when CUDA is needed and no wheel tells which; ``capability`` the compute
    capability below which nothing works; ``untold`` names packages that may ask for more and do not say so;
    ``packages`` are the wheels that all this was read from ("cupy-cuda12x 14.2.0").
    """

    version: CudaVersion | None
    packages: tuple[str, ...]
    capability: tuple[int, int] | None = None
    untold: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()

    @property
    def least_driver(self) -> str | None:
        """The oldest Linux driver that runs the image."""
        return self.version.least_driver if self.version else None

    @property
    def native_driver(self) -> str | None:
        """The oldest Linux driver that knows all of the image's CUDA, its PTX included."""
        return self.version.native_driver if self.version else None


def cuda_needs(wheels: Iterable[Wheel]) -> CudaNeeds | None:
    """What ``wheels`` need, ``None`` when none of them has to do with CUDA.

    Raises ``DependencyFault`` when two of them need different major lines: the libraries of each have names of
    their own, so both would be installed, loaded side by side, and disagree about the device.
    """
    listed = sorted(wheels, key=lambda wheel: wheel.name)
    found = evidence(listed)
    if not found:
        return None
    names = {wheel.name for wheel in listed}
    if clash := _clash(found):
        raise _conflict(*clash, names & _OWN_KERNELS)
    version = _version(found)
    return CudaNeeds(
        version=version,
        packages=tuple(str(one) for one in found),
        capability=_capability(version, names),
        untold=tuple(sorted(names & _OWN_KERNELS)),
        lacking=tuple(_lacking(names)),
    )


def summary(needs: CudaNeeds | None) -> str:
    """The needs in a few words, for a line of progress."""
    if needs is None:
        return "no package needs CUDA"
    if needs.version is None:
        return "an unknown CUDA"
    least = f", driver ≥ {needs.least_driver}" if needs.least_driver else ""
    return f"CUDA {needs.version}{least}"


def _version(found: tuple[Evidence, ...]) -> CudaVersion | None:
    """The newest: an older companion is no reason to ask for less, and one without a minor version says less."""
    return max((one.cuda for one in found if one.cuda is not None), default=None)


def _clash(found: tuple[Evidence, ...]) -> tuple[Evidence, Evidence] | None:
    """Two wheels of different major lines; of each line the one that says most."""
    lines: dict[int, Evidence] = {}
    for one in found:
        if one.cuda is not None:
            known = lines.get(one.cuda.major)
            if known is None or known.cuda is None or known.cuda < one.cuda:
                lines[one.cuda.major] = one
    oldest, newest = (min(lines), max(lines)) if lines else (0, 0)
    return (lines[oldest], lines[newest]) if oldest != newest else None


def _conflict(older: Evidence, newer: Evidence, others: set[str]) -> DependencyFault:
    assert older.cuda is not None
    assert newer.cuda is not None
    # Who asked for a library of NVIDIA's is not in a lock; these are the ones that usually did.
    who = f"; look at {', '.join(sorted(others))} first, which may be what brings one of them" if others else ""
    return DependencyFault(
        f"the requirements bring two lines of CUDA: {older} needs CUDA {older.cuda.major}, "
        f"{newer} needs CUDA {newer.cuda.major}",
        remedy=f"choose releases for one line: {older.package} for CUDA {newer.cuda.major}, or {newer.package} "
        f"for CUDA {older.cuda.major}{who}",
    )


def _capability(version: CudaVersion | None, names: set[str]) -> tuple[int, int] | None:
    if version is None or version.least_capability is None:
        return None
    own = [floor for (name, major), floor in _CAPABILITIES.items() if name in names and major == version.major]
    return max([version.least_capability, *own])


def _lacking(names: set[str]) -> Iterable[str]:
    for package, companions, why in _COMPANIONS:
        user = next((name for name in sorted(names) if name.startswith(package)), None)
        if user is None:
            continue
        missing = [
            one for one in companions if not any(name == one or name.startswith(f"{one}-cu") for name in names)
        ]
        if missing:
            yield f"{user} {why}, and no wheel brings {' and '.join(missing)}"
