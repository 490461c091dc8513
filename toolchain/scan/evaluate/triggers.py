"""Which files of a large library need evaluating at all.

A small tree, such as a plugin, is always evaluated in full. In a tree of several hundred files, a file that is
plain ASCII and names none of the words through which power is reached has nothing to find, as most of a library.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from toolchain.scan.policy import load_policy

# Files cost by their size, hardly by their number: as many as the platform takes are no large tree by themselves.
# Bytes are what costs: 1.8 MB (pydantic) take 20 s with full care and 2.3 s without, on 2 cores, and one of its
# honest files then needs more work than a file may.
LARGE = 1_000
LARGE_BYTES = 1_500_000
# Roots that honest files name all the time, with the words that must stand beside them.
_COMMON = {
    "numpy": "allow_pickle|ctypeslib|weave|exec_command|as_array|npyio|distutils|f2py|rundocs|runstring|measure",
    "pandas": "read_pickle|pickle_compat|clipboard",
    "torch": r"torch\.load|hub|cpp_extension|load_library|load_inline|serialization|collect_env"
    r"|model_zoo|TCPStore|init_rpc|distributed\.(?:run|launch|elastic)|graph_module|aoti_load|aot_load|CUDAPluggable|start_processes",
    "keras": "safe_mode|enable_unsafe|func_load|deserialize|load_model|model_from",
    "tensorflow": "load_op_library|load_library",
    "yaml": r"yaml\.(?:unsafe|full)?_?load|from yaml",
    "typing": "_eval_type|ForwardRef|get_type_hints",
    "sh": "import sh\\b|from sh\\b",
    "code": r"import code\b|from code\b",
    "git": r"import git\b|from git\b",
    "trace": r"import trace\b|from trace\b",
    "commands": r"import commands\b|from commands\b",
    "site": r"import site\b|from site\b",
    "pip": r"import pip\b|from pip\b|pip\.",
    "venv": r"import venv|from venv",
    "executor": r"import executor\b|from executor\b",
    "profile": r"import profile\b|from profile\b",
    "invoke": r"import invoke|from invoke",
    "types": "FunctionType|CodeType|LambdaType",
    "inspect": "getclosurevars|currentframe|_getframe|getattr_static|eval_str",
    "operator": "attrgetter|methodcaller|itemgetter",
    "sys": r"_getframe|modules|meta_path|path_hooks|settrace|setprofile|_current_frames|setdlopenflags"
    r"|from sys|addaudithook",
    "os": r"import os|from os\b|\bos\."
    r"(?:system|popen|spawn|exec|fork|kill|posix|environ|putenv|startfile|open|mem|set)",
    "warnings": "",
    "functools": "functools.reduce",
    "asyncio": r"subprocess|open_connection|start_server|open_unix|start_unix|create_",
    "threading": "settrace|setprofile",
    "ray": "ray.cloudpickle",
    "string": "",
    "polars": "",
    "builtins": "builtins",
    "scipy": "LowLevelCallable|weave",
    "pydantic": "ImportString|PyObject",
    "fabric": "import fabric|from fabric",
    "importlib": "importlib",
    "lightgbm": "",
    "spacy": "import_file",
    "copyreg": "copyreg",
    "ssl": "ssl\\b",
    "pyarrow": "PyExtensionType|UnknownExtensionType|deserialize",
    "logging": r"logging\.config|logging\.handlers|from logging",
    "signal": "",
    "io": "",
    "transformers": "dynamic_module_utils",
    "mmap": "mmap",
    "paddle": "paddle.load",
    "numba": "cfunc|carray|ctypes",
    "code_": "",
    "environment": "",
    "future": "",
    "platform": "platform.popen|_syscmd|_Processor",
    "nltk": "nltk",
    "torchvision": "pickle_load",
    "sklearn": "joblib",
    "xgboost": "_load_lib",
    "statsmodels": "load_pickle|api.load",
    "psutil": r"Popen|\.(?:kill|terminate|suspend|send_signal)\b",
    "tornado": "tornado",
    "celery": "celery",
    "django": "module_loading",
    "setuptools": "sandbox|spawn|run_setup",
    "distutils": "spawn|run_setup",
    "sympy": r"eval_expr|autowrap|_compilation|sympify|parse_expr|lambdify|\bS\b",
    "shutil": r"shutil\._?(?:os|sys)\b|import _?os\b|from shutil",
    "uuid": "_get_command_stdout",
    "zipfile": "PyZipFile",
    "dataclasses": "_create_fn",
    "weakref": r"weakref\.os",
    "gettext": "c2py",
    "optparse": "read_file|read_module",
    "pytest": r"\bmain\b",
    "click": r"\b(?:edit|launch)\b",
    "typer": r"\blaunch\b",
    "mock": r"\bpatch\(",
    "fsspec": "register_implementation",
    "accelerate": "_launcher",
    "unittest": r"TestProgram|unittest\.main|import main|loader|TestLoader|_importer|_dot_lookup|loadTests|patch",
    "sqlite3": "load_extension",
    "gc": r"get_objects|get_referrers|get_referents",
}
# What counts wherever it stands, inside of other words and of strings too.
_SPELLED = (
    "__builtins__", "__globals__", "__subclasses__", "__import__", "__loader__", "__mro__", "__bases__",
    "__base__", "f_builtins", "f_globals", "__self__", "__code__", "__getattribute__", "trust_remote_code",
    "allow_dangerous", "attrgetter", "methodcaller", "import_module", "_target_", "base64", "LD_PRELOAD",
    "/proc/", "import *", "custom_pipeline", "exec_module", "dlopen", "load_extension", "getRuntime",
    "ProcessBuilder",
)  # fmt: skip
# Words that count on their own, and words that count where they stand as written here.
_ALONE = frozenset({b"eval", b"exec", b"breakpoint", b"codecs"})
_STANDING = {
    "compile": r"\bcompile\(|[=(,\[:{]\s*compile\b",
    "globals": r"\bglobals\(",
    "vars": r"\bvars\(",
    "locals": r"\blocals\(",
    "match": r"^[ \t]*match [^=\n]*:[ \t]*(?:#.*)?$",
}
_SPELLED_BYTES = tuple(name.encode() for name in _SPELLED)
_DYNAMIC_GETATTR = re.compile(rb"getattr\([^,()]+,\s*(?![\"'])[^)]")


_CODING = re.compile(rb"coding[:=][ \t]*([-\w.]+)")
_PLAIN_CODINGS = frozenset({b"utf-8", b"utf8", b"ascii", b"us-ascii", b"latin-1", b"latin1", b"iso-8859-1"})
_WORD = re.compile(rb"[A-Za-z_]\w*")
_IMPORT = re.compile(rb"(?:^|[;:])[ \t]*(?:from|import)[ \t]+([^\n;#]+)", re.MULTILINE)


@lru_cache(maxsize=1)
def _words() -> tuple[frozenset[bytes], frozenset[bytes], dict[bytes, re.Pattern[bytes]]]:
    """Words that count anywhere, those that count where imported, and those that need more beside them."""
    policy = load_policy()
    roots = {
        name.partition(".")[0].removesuffix("()") for name in (*policy.exact, *policy.prefixes)
    } | policy.carried
    beside = {
        word.encode(): re.compile(more.encode(), re.MULTILINE)
        for word, more in (*_COMMON.items(), *_STANDING.items())
        if more
    }
    special = frozenset(root.encode() for root in roots if root not in _COMMON and root != "?")
    carried = frozenset(name.encode() for name in policy.carried)
    return (special & carried) | _ALONE, special - carried, beside


def _imported(source: bytes) -> set[bytes]:
    """The first parts of all module names, and all other words, in the file's import statements."""
    return {word for line in _IMPORT.findall(source) for word in _WORD.findall(line)}


def _names_a_coding(source: bytes) -> bool:
    """Whether ASCII bytes may stand for other text: utf-7, for one, spells every letter in it (PEP 263)."""
    found = _CODING.search(b"\n".join(source.splitlines()[:2]))
    return found is not None and found[1].lower() not in _PLAIN_CODINGS


def is_large(sources: Mapping[str, bytes]) -> bool:
    """Whether a tree is read with less care, so that its scan ends within its time."""
    return len(sources) > LARGE or sum(map(len, sources.values())) > LARGE_BYTES


def needs_evaluation(source: bytes) -> bool:
    """Whether a file of a large tree names anything through which power is reached."""
    if not source.isascii() or _names_a_coding(source):
        return True
    # Lines as the interpreter sees them, so that no pattern below is missed for a line end of another kind.
    source = source.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\f", b" ").replace(b"\\\n", b" ")
    if any(name in source for name in _SPELLED_BYTES):
        return True
    alone, imported, beside = _words()
    words = set(_WORD.findall(source))
    if not alone.isdisjoint(words) or not imported.isdisjoint(_imported(source)):
        return True
    if any(pattern.search(source) for word, pattern in beside.items() if word in words):
        return True
    return b"getattr(" in source and _DYNAMIC_GETATTR.search(source) is not None
