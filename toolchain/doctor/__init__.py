"""What this machine can and cannot do: an explicit list of checks, each with its remedy."""

from toolchain.doctor.examine import Diagnosis, diagnose, examinations
from toolchain.doctor.model import Check, Status, Surroundings
from toolchain.doctor.repair import repair
from toolchain.doctor.survey import DoctorOptions, survey

__all__ = [
    "Check",
    "Diagnosis",
    "DoctorOptions",
    "Status",
    "Surroundings",
    "diagnose",
    "examinations",
    "repair",
    "survey",
]
