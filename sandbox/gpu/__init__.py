"""One tiny kernel in the image that is to be judged: does its CUDA work, and does the machine's."""

from sandbox.gpu.report import GpuReport, read_report
from sandbox.gpu.run import run_gpu_check

__all__ = ["GpuReport", "read_report", "run_gpu_check"]
