"""Runs inside a CUDA image: loads its libraries, compiles and runs a tiny kernel, prints what came of it as JSON.

Self-contained on purpose: the host hands this file's text to the container's interpreter. What belongs to the
image (its libraries) and what belongs to the machine (driver, devices) is tried apart, so that one can be blamed
without the other. Only the standard library and C interfaces: no package of the image is imported.

Sources: CUDA Driver API and NVRTC documentation (function signatures, error numbers), PTX ISA 6.0.
"""

from __future__ import annotations

import ctypes
import json
import re
import sys
from pathlib import Path
from typing import Any

# Written for the oldest device and the oldest compiler that drivers of CUDA 12 and 13 take; out[i] = i * i + 7.
PTX = b"""
.version 6.0
.target sm_50
.address_size 64
.visible .entry square(.param .u64 out)
{
    .reg .b32 %r<3>;
    .reg .b64 %rd<4>;
    ld.param.u64 %rd1, [out];
    cvta.to.global.u64 %rd2, %rd1;
    mov.u32 %r1, %tid.x;
    mad.lo.s32 %r2, %r1, %r1, 7;
    mul.wide.u32 %rd3, %r1, 4;
    add.s64 %rd2, %rd2, %rd3;
    st.global.u32 [%rd2], %r2;
    ret;
}
"""
# The same for the image's own compiler.
SOURCE = b'extern "C" __global__ void square(int *out) { out[threadIdx.x] = threadIdx.x * threadIdx.x + 7; }'
_THREADS = 32
_COMPUTE_MAJOR, _COMPUTE_MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_*
_DEFAULT_ARCHITECTURE = (7, 5)  # known to every NVRTC of CUDA 11 to 13
_LIBRARY = re.compile(r"lib(cudart|nvrtc|cublas|cudnn|cufft|curand|cusolver|cusparse|nvJitLink)\.so\.\d+")


class Refused(Exception):
    """A call returned an error: its name and number."""

    def __init__(self, call: str, code: int, word: str = "") -> None:
        super().__init__(call, code, word)
        self.facts = {"call": call, "code": code, "word": word}


def main(folder: Path) -> None:
    """Print one JSON object with two halves."""
    driver, api = _driver()
    libraries = _libraries(folder)
    report = {"driver": driver, "libraries": {name: facts for name, (facts, _) in libraries.items()}}
    if "nvrtc" in libraries and libraries["nvrtc"][1] is not None:
        report["compiler"] = _compiler(libraries["nvrtc"][1], api, driver)
    sys.stdout.write(json.dumps(report) + "\n")


def _driver() -> tuple[dict[str, Any], Any]:
    """What the driver says and whether it runs our kernel."""
    facts: dict[str, Any] = {"loaded": False, "error": None, "version": None, "devices": None, "kernel": None}
    try:
        api = ctypes.CDLL("libcuda.so.1")
    except OSError as reason:
        return {**facts, "error": {"call": "dlopen", "code": -1, "word": str(reason)[:200]}}, None
    facts["loaded"] = True
    try:
        _call(api, "cuInit", 0)
        facts["version"] = _number(api, "cuDriverGetVersion")
        facts["devices"] = _number(api, "cuDeviceGetCount")
        if facts["devices"]:
            facts["capability"] = [
                _number(api, "cuDeviceGetAttribute", which, 0) for which in (_COMPUTE_MAJOR, _COMPUTE_MINOR)
            ]
            facts["kernel"] = _outcome(api, PTX)
    except Refused as refusal:
        facts["error"] = refusal.facts
    return facts, api


def _outcome(api: Any, code: bytes) -> dict[str, Any]:
    try:
        return {"right": _run_kernel(api, code), "error": None}
    except Refused as refusal:
        return {"right": False, "error": refusal.facts}


def _run_kernel(api: Any, code: bytes) -> bool:
    """Load ``code``, run it on the first device, and compare what it wrote."""
    context, module, function = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
    _call(api, "cuDevicePrimaryCtxRetain", ctypes.byref(context), 0)
    try:
        _call(api, "cuCtxSetCurrent", context)
        _call(api, "cuModuleLoadData", ctypes.byref(module), ctypes.c_char_p(code))
        _call(api, "cuModuleGetFunction", ctypes.byref(function), module, b"square")
        memory = ctypes.c_uint64()
        _call(api, "cuMemAlloc_v2", ctypes.byref(memory), ctypes.c_size_t(4 * _THREADS))
        arguments = (ctypes.c_void_p * 1)(ctypes.cast(ctypes.pointer(memory), ctypes.c_void_p))
        shape = (1, 1, 1, _THREADS, 1, 1)
        _call(api, "cuLaunchKernel", function, *shape, 0, None, arguments, None)
        _call(api, "cuCtxSynchronize")
        result = (ctypes.c_int * _THREADS)()
        _call(api, "cuMemcpyDtoH_v2", result, memory, ctypes.c_size_t(ctypes.sizeof(result)))
        _call(api, "cuMemFree_v2", memory)
        return list(result) == [place * place + 7 for place in range(_THREADS)]
    finally:
        api.cuDevicePrimaryCtxRelease_v2(0)


def _libraries(folder: Path) -> dict[str, tuple[dict[str, Any], Any]]:
    """Every core library that the image's wheels brought: loaded, or why not."""
    found: dict[str, tuple[dict[str, Any], Any]] = {}
    # CUDA 12 wheels: nvidia/cuda_nvrtc/lib; CUDA 13: nvidia/cu13/lib.
    for path in sorted(folder.glob("nvidia/*/lib/lib*.so.*")):
        match = _LIBRARY.fullmatch(path.name)
        if match is None:
            continue
        facts: dict[str, Any] = {"file": path.name, "error": None, "version": None, "devices": None}
        library = None
        try:
            library = ctypes.CDLL(str(path))
        except OSError as reason:
            facts["error"] = str(reason)[:300]
        if match[1] == "cudart" and library is not None:
            facts["version"], facts["devices"] = _runtime(library)
        found[match[1]] = (facts, library)
    return found


def _runtime(library: Any) -> tuple[int, int]:
    """The runtime's version and what it answers when asked for devices (cudaError_t, 0 is success)."""
    version, count = ctypes.c_int(), ctypes.c_int()
    library.cudaRuntimeGetVersion(ctypes.byref(version))
    return version.value, int(library.cudaGetDeviceCount(ctypes.byref(count)))


def _compiler(nvrtc: Any, api: Any, driver: dict[str, Any]) -> dict[str, Any]:
    """Whether the image's compiler compiles, which needs no GPU, and whether the driver takes what it made."""
    major, minor = ctypes.c_int(), ctypes.c_int()
    nvrtc.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
    facts: dict[str, Any] = {"version": [major.value, minor.value], "error": None, "kernel": None}
    capability = driver.get("capability") or _DEFAULT_ARCHITECTURE
    try:
        code = _compiled(nvrtc, capability)
    except Refused as refusal:
        return {**facts, "error": refusal.facts}
    if api is not None and driver.get("capability"):
        facts["kernel"] = _outcome(api, code)
    return facts


def _compiled(nvrtc: Any, capability: Any) -> bytes:
    program, size = ctypes.c_void_p(), ctypes.c_size_t()
    make = (ctypes.byref(program), ctypes.c_char_p(SOURCE), b"square.cu", 0, None, None)
    _compile_call(nvrtc, "nvrtcCreateProgram", *make)
    option = f"--gpu-architecture=compute_{capability[0]}{capability[1]}".encode()
    _compile_call(nvrtc, "nvrtcCompileProgram", program, 1, (ctypes.c_char_p * 1)(option))
    _compile_call(nvrtc, "nvrtcGetPTXSize", program, ctypes.byref(size))
    code = ctypes.create_string_buffer(size.value)
    _compile_call(nvrtc, "nvrtcGetPTX", program, code)
    return code.raw


def _compile_call(nvrtc: Any, name: str, *arguments: Any) -> None:
    if code := int(getattr(nvrtc, name)(*arguments)):
        nvrtc.nvrtcGetErrorString.restype = ctypes.c_char_p
        raise Refused(name, code, nvrtc.nvrtcGetErrorString(code).decode(errors="replace"))


def _number(api: Any, name: str, *arguments: Any) -> int:
    value = ctypes.c_int()
    _call(api, name, ctypes.byref(value), *arguments)
    return value.value


def _call(api: Any, name: str, *arguments: Any) -> None:
    code = int(getattr(api, name)(*arguments))
    if code:
        word = ctypes.c_char_p()
        api.cuGetErrorName(code, ctypes.byref(word))
        raise Refused(name, code, (word.value or b"").decode(errors="replace"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
