"""Which model stands for which function outside the tree."""

from __future__ import annotations

from toolchain.scan.evaluate.interpreter import Model
from toolchain.scan.evaluate.models.annotations import (
    hints,
    hints_if_told,
    of_create_model,
    of_forward_reference,
    of_record,
)
from toolchain.scan.evaluate.models.attributes import (
    getter,
    of_added,
    of_formatter,
    of_get_field,
    of_getattr,
    of_getitem,
    of_getmembers,
    of_setattr,
    of_setitem,
    of_vars,
)
from toolchain.scan.evaluate.models.callables import (
    UNCHANGED,
    call_now,
    first_argument,
    marking,
    of_field,
    of_frame,
    of_namespace,
    of_partial,
    of_reference,
    of_super,
    of_thread,
    of_trace,
    of_type,
)
from toolchain.scan.evaluate.models.code import (
    of_implementation,
    of_import,
    of_import_module,
    of_resolve_name,
    of_template,
    read_code,
    reading,
    without_marks,
    without_tilde,
)
from toolchain.scan.evaluate.models.iteration import (
    of_accumulate,
    of_chain,
    of_chain_from_iterable,
    of_dict,
    of_enumerate,
    of_filter,
    of_iter,
    of_map,
    of_next,
    of_reduce,
    of_reversed,
    of_sequence,
    of_sorted,
    of_starmap,
    of_zip,
)
from toolchain.scan.evaluate.values import UNKNOWN, Const, FrameDict, Seq

A_TEMPORARY_FOLDER = "/tmp/?"  # noqa: S108 - what a name stands for, not a place

EVALUATING = (
    "typing.get_type_hints",
    "typing_extensions.get_type_hints",
    "attr.resolve_types",
    "attrs.resolve_types",
)
EVALUATING_IF_TOLD = (
    "inspect.get_annotations", "annotationlib.get_annotations", "typing_extensions.get_annotations",
    "inspect.signature", "inspect.Signature.from_callable",
)  # fmt: skip

RUNNING_TEXT = (
    "sympy.sympify", "sympy.core.sympify.sympify", "sympy.S", "sympy.core.singleton.S", "sympy.parse_expr",
    "sympy.parsing.sympy_parser.parse_expr", "sympy.lambdify", "sympy.utilities.lambdify.lambdify",
    "numexpr.evaluate", "numexpr.NumExpr", "numexpr.validate", "numexpr.necompiler.evaluate",
    "numexpr.necompiler.NumExpr", "numexpr.necompiler.validate",
)  # fmt: skip
OF_FRAMES = ("pandas.eval", "pandas.core.computation.eval.eval")
FORMULAS = (
    *(
        f"statsmodels.formula.api.{name}"
        for name in ("ols", "wls", "gls", "glm", "rlm", "logit", "probit", "poisson", "mixedlm", "quantreg")
    ),
    "formulaic.model_matrix",
    "formulaic.Formula",
    "patsy.dmatrix",
    "patsy.dmatrices",
    "patsy.highlevel.dmatrix",
    "patsy.highlevel.dmatrices",
)

TEMPLATES = (
    "jinja2.Template", "jinja2.environment.Template", "jinja2.Environment().from_string",
    "jinja2.environment.Environment().from_string", "tornado.template.Template", "bottle.template",
    "bottle.SimpleTemplate", "flask.render_template_string",
)  # fmt: skip
RECORDS = (
    "typing.TypedDict", "typing_extensions.TypedDict", "typing.NamedTuple", "typing_extensions.NamedTuple",
    "dataclasses.make_dataclass",
)  # fmt: skip

MODELS: dict[str, Model] = {
    "builtins.getattr": of_getattr,
    "builtins.setattr": of_setattr,
    "builtins.vars": of_vars,
    "inspect.getattr_static": of_getattr,
    "operator.attrgetter": getter("attrgetter"),
    "operator.itemgetter": getter("itemgetter"),
    "operator.methodcaller": getter("methodcaller"),
    "operator.getitem": of_getitem,
    "operator.setitem": of_setitem,
    **dict.fromkeys(("operator.iadd", "operator.iconcat", "operator.ior"), of_added),
    "operator.call": call_now,
    "_operator.getitem": of_getitem,
    "_operator.attrgetter": getter("attrgetter"),
    "_operator.methodcaller": getter("methodcaller"),
    "builtins.globals": lambda it, _request: FrameDict(it.frame.module),
    "builtins.locals": lambda it, _request: FrameDict(it.frame),
    "builtins.__import__": of_import,
    "importlib.import_module": of_import_module,
    "importlib.reload": first_argument,
    "pkgutil.resolve_name": of_resolve_name,
    "pydoc.locate": of_resolve_name,
    "pydoc.safeimport": of_resolve_name,
    "uvicorn.importer.import_from_string": of_resolve_name,
    "twisted.python.reflect.namedAny": of_resolve_name,
    "twisted.python.reflect.namedModule": of_resolve_name,
    "hydra.utils.get_method": of_resolve_name,
    "hydra.utils.get_class": of_resolve_name,
    "hydra.utils.get_object": of_resolve_name,
    "builtins.type": of_type,
    "builtins.eval": read_code,
    "builtins.exec": read_code,
    "builtins.compile": read_code,
    "typing.ForwardRef": of_forward_reference,
    "builtins.hasattr": lambda _it, _request: UNKNOWN,
    "builtins.map": of_map,
    "builtins.filter": of_filter,
    "functools.reduce": of_reduce,
    "builtins.sorted": of_sorted,
    "builtins.list": of_sequence("list"),
    "builtins.tuple": of_sequence("tuple"),
    "builtins.set": of_sequence("set"),
    "builtins.iter": of_iter,
    "builtins.reversed": of_reversed,
    "builtins.zip": of_zip,
    "builtins.enumerate": of_enumerate,
    "builtins.next": of_next,
    "builtins.dict": of_dict,
    "types.MappingProxyType": first_argument,
    "collections.ChainMap": of_dict,
    "dataclasses.field": of_field,
    "collections.deque": of_sequence("list"),
    "collections.OrderedDict": of_dict,
    "types.SimpleNamespace": of_namespace,
    "collections.UserDict": of_dict,
    "functools.partial": of_partial,
    "functools.partialmethod": of_partial,
    "copy.copy": first_argument,
    "copy.deepcopy": first_argument,
    "weakref.ref": of_reference,
    "weakref.proxy": first_argument,
    "typing.cast": lambda _it, r: r.args[-1] if r.args else UNKNOWN,
    "contextlib.nullcontext": first_argument,
    "contextlib.closing": first_argument,
    "builtins.super": of_super,
    "string.Formatter().get_field": of_get_field,
    "string.Formatter().format": of_formatter,
    "string.Formatter().vformat": of_formatter,
    "string.Formatter": lambda it, _request: it.ref("string.Formatter()"),
    "builtins.property": marking("property"),
    "functools.cached_property": marking("property"),
    "builtins.staticmethod": marking("static"),
    "builtins.classmethod": marking("class"),
    "sys._getframe": of_frame,
    "inspect.currentframe": of_frame,
    **dict.fromkeys(("sys.settrace", "sys.setprofile", "threading.settrace", "threading.setprofile"), of_trace),
    "itertools.accumulate": of_accumulate,
    "itertools.chain": of_chain,
    "itertools.chain.from_iterable": of_chain_from_iterable,
    "itertools.starmap": of_starmap,
    "threading.Thread": of_thread,
    "asyncio.run": first_argument,
    "asyncio.to_thread": call_now,
    "atexit.register": call_now,
    "contextvars.Context().run": call_now,
    "inspect.unwrap": first_argument,
    "functools.wraps": lambda _it, _r: UNCHANGED,
    "builtins.print": lambda _it, _r: Const(None),
    "sys.modules.values": lambda it, _request: Seq("list", [it.ref("sys.modules.?")], exact=False),
    "sys.modules.items": lambda it, _request: Seq(
        "list", [Seq("tuple", [UNKNOWN, it.ref("sys.modules.?")])], exact=False
    ),
    "sys.modules.copy": lambda it, _request: it.ref("sys.modules"),
    **{path: reading(path) for path in RUNNING_TEXT},
    **{path: reading(path, without_marks) for path in OF_FRAMES},
    **{path: reading(path, without_tilde) for path in FORMULAS},
    **dict.fromkeys(TEMPLATES, of_template),
    **dict.fromkeys(RECORDS, of_record),
    "pydantic.create_model": of_create_model,
    "fsspec.register_implementation": of_implementation,
    "fsspec.registry.register_implementation": of_implementation,
    **{path: hints(path) for path in EVALUATING},
    **{path: hints_if_told(path) for path in EVALUATING_IF_TOLD},
    "tempfile.gettempdir": lambda _it, _r: Const(A_TEMPORARY_FOLDER),
    "tempfile.mkdtemp": lambda _it, _r: Const(A_TEMPORARY_FOLDER),
    "tempfile.TemporaryDirectory": lambda _it, _r: Const(A_TEMPORARY_FOLDER),
    "inspect.getmembers": of_getmembers,
    "inspect.getmembers_static": of_getmembers,
    "sys.modules.get": lambda it, r: it.item(it.ref("sys.modules"), r.args[0], r.node) if r.args else UNKNOWN,
    "sys.modules.pop": lambda it, r: it.item(it.ref("sys.modules"), r.args[0], r.node) if r.args else UNKNOWN,
    "sys.modules.setdefault": lambda it, r: (
        it.item(it.ref("sys.modules"), r.args[0], r.node) if r.args else UNKNOWN
    ),
    "sys.modules.__getitem__": lambda it, r: (
        it.item(it.ref("sys.modules"), r.args[0], r.node) if r.args else UNKNOWN
    ),
}
