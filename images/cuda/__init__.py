"""Which CUDA an image needs, what that asks of a machine, and whether a given machine has it."""

from images.cuda.compare import Comparison, Verdict, compare
from images.cuda.labels import LABEL_VERSION, cuda_labels, needs_from_labels
from images.cuda.needs import CudaNeeds, cuda_needs, summary
from images.cuda.versions import CudaVersion, driver_key, parse_cuda

__all__ = [
    "LABEL_VERSION",
    "Comparison",
    "CudaNeeds",
    "CudaVersion",
    "Verdict",
    "compare",
    "cuda_labels",
    "cuda_needs",
    "driver_key",
    "needs_from_labels",
    "parse_cuda",
    "summary",
]
