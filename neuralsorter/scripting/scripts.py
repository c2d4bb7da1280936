"""Users' scripts as the server sees them: found, described and saved as text, never run here (see `script_runner`)."""

from __future__ import annotations

import ast
import keyword
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from neuralsorter import plugins
from neuralsorter.errors import PluginError

Value = int | float | bool | str

DATA_NAMES = ("spikes", "channel", "everything", "other")
_MAX_SOURCE = 1 << 20
_KINDS: dict[str, type] = {"int": int, "float": float, "bool": bool, "str": str}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a script's `run`, enough to make a widget of.

    Attributes
    ----------
    name, doc : str
        Its name, and the text for a tooltip.
    kind : {"int", "float", "bool", "str", "choice"}
        What it takes.
    default : int, float, bool or str
        Its value where none is given.
    bounds : tuple or None
        Least and greatest value, for int and float.
    choices : tuple
        The values to choose from, for "choice".

    """

    name: str
    kind: str
    default: Value
    bounds: tuple[float, float] | None = None
    choices: tuple[Value, ...] = ()
    doc: str = ""

    def checked(self, value: Any) -> Value:
        """Return a value as the script takes it.

        Raises
        ------
        PluginError
            When the value is of another kind or out of bounds.

        """
        if self.kind == "choice":
            if value not in self.choices:
                raise PluginError(f"{self.name} must be one of {', '.join(map(str, self.choices))}. Got {value!r}.")
            return self.choices[self.choices.index(value)]
        wanted = _KINDS[self.kind]
        fits = isinstance(value, (int, float) if wanted is float else wanted)
        if not fits or (isinstance(value, bool) and wanted is not bool):
            raise PluginError(f"{self.name} must be {self.kind}. Got {value!r}.")
        if self.bounds is not None and not self.bounds[0] <= value <= self.bounds[1]:
            raise PluginError(f"{self.name} must be from {self.bounds[0]} to {self.bounds[1]}. Got {value!r}.")
        made: Value = wanted(value)
        return made


@dataclass(frozen=True)
class Script:
    """A script as its text describes it.

    Attributes
    ----------
    name : str
        The file's name without .py.
    title, doc : str
        First line of the docstring without the full stop, and the rest.
    parameters : tuple of Parameter
        In the order of the signature.
    error : str
        Why it cannot be run, else empty.
    source : str
        Its text.
    path : Path or None
        Where it was read.
    bundled : bool
        Whether it came with the program.

    """

    name: str
    title: str
    doc: str = ""
    parameters: tuple[Parameter, ...] = ()
    error: str = ""
    source: str = field(default="", repr=False)
    path: Path | None = None
    bundled: bool = False

    def values(self, given: Mapping[str, Any]) -> dict[str, Value]:
        """Return the value of every parameter: as given, checked, else its default.

        Raises
        ------
        PluginError
            When a value does not fit, or there is no such parameter.

        """
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in given:
            if name not in known:
                raise PluginError(f"{self.name} has no parameter {name!r}. It has: {', '.join(known) or 'none'}.")
        return {name: known[name].checked(given[name]) if name in given else known[name].default for name in known}


def available() -> list[Script]:
    """Return the bundled scripts and the user's, by title; the user's wins by name. Broken ones tell their error."""
    bundled = plugins.folder("utilities")
    found = []
    for name, plugin in plugins.discover("utilities").items():
        if isinstance(plugin.target, Path):
            found.append(describe(plugin.target, bundled=plugin.target.parent == bundled))
        else:
            found.append(Script(name, name, error=plugin.error or "A utility is a file. Put it into a folder."))
    return sorted(found, key=lambda script: script.title.casefold())


def describe(path: str | Path, *, bundled: bool = False) -> Script:
    """Describe the script in a file without running it."""
    path = Path(path)
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        return Script(path.stem, path.stem, error=f"{path} cannot be read: {cause}", path=path, bundled=bundled)
    return describe_source(source, path.stem, path=path, bundled=bundled)


def describe_source(source: str, name: str, *, path: Path | None = None, bundled: bool = False) -> Script:
    """Describe a script from its text without running it."""
    title, doc, parameters, error = name.replace("_", " "), "", [], ""
    try:
        tree = _parsed(source)
        first, _, rest = (ast.get_docstring(tree) or title).partition("\n")
        title, doc = first.rstrip("."), rest.strip()
        parameters = _parameters(tree)
    except PluginError as problem:
        error = str(problem)
    return Script(name, title, doc, tuple(parameters), error, source, path, bundled)


def save(source: str, name: str) -> Path:
    """Write a script into the user's folder, where it wins over a bundled one of the same name; return its path."""
    if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
        raise PluginError(f"A script's name has letters, digits and underscores, such as my_rates. Got {name!r}.")
    path = plugins.user_folder() / "utilities" / f"{name}.py"
    partial = path.with_suffix(".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(source, encoding="utf-8")
        os.replace(partial, path)  # noqa: PTH105 - whole or not at all
    except OSError as cause:
        raise PluginError(f"{path} cannot be written: {cause.strerror}. Choose another plug-in folder.") from cause
    return path


def _parsed(source: str) -> ast.Module:
    if len(source) > _MAX_SOURCE:
        raise PluginError("The script is longer than a million characters. Move its data into a file.")
    try:
        return ast.parse(source)
    except SyntaxError as cause:
        raise PluginError(f"Line {cause.lineno}: {cause.msg}.") from cause
    except (ValueError, RecursionError, MemoryError) as cause:
        raise PluginError(f"The script cannot be parsed: {cause or type(cause).__name__}.") from cause


def _parameters(tree: ast.Module) -> list[Parameter]:
    runs = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "run"]
    if not runs:
        raise PluginError("The script defines no function run(spikes, ...). Add one; what it returns is shown.")
    arguments = runs[-1].args
    plain = [*arguments.posonlyargs, *arguments.args]
    if not plain:
        raise PluginError("run must take the spikes as its first argument: def run(spikes: Spikes).")
    defaults: list[ast.expr | None] = [None] * (len(plain) - len(arguments.defaults)) + [*arguments.defaults]
    pairs = [*zip(plain, defaults, strict=True), *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    return [_parameter(argument, default) for argument, default in pairs[1:] if argument.arg not in DATA_NAMES]


def _parameter(argument: ast.arg, default: ast.expr | None) -> Parameter:
    name, annotation, bounds, doc = argument.arg, argument.annotation, None, ""
    if isinstance(annotation, ast.Subscript) and _last_name(annotation.value) == "Annotated":
        annotation, *extras = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
        for extra in map(_literal, extras):
            if isinstance(extra, str):
                doc = extra
            elif isinstance(extra, tuple) and len(extra) == 2:
                bounds = extra
    if default is None:
        raise PluginError(f"The parameter {name} of run needs a default, such as {name}=1.0.")
    value = _literal(default)
    if isinstance(annotation, ast.Subscript) and _last_name(annotation.value) == "Literal":
        options = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
        made = Parameter(name, "choice", value, choices=tuple(map(_literal, options)), doc=doc)
    else:
        kind = type(value).__name__ if annotation is None else _last_name(annotation)
        if kind not in _KINDS:
            raise PluginError(f"The parameter {name} of run must be int, float, bool, str or Literal[...]. Got {kind}.")
        made = Parameter(name, kind, float(value) if kind == "float" else value, bounds, doc=doc)
    made.checked(made.default)
    return made


def _last_name(node: ast.expr) -> str:
    """Return `Literal` of both Literal and typing.Literal; a quoted annotation counts as what it says."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return (
        node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ast.unparse(node)
    )


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, RecursionError):
        raise PluginError(
            f"Line {node.lineno}: defaults, bounds and choices of run must be written out. Got {ast.unparse(node)}."
        ) from None
