"""The expression graph of the REST protocol, evaluated.

`{"result": key, "values": {key: node}}`; a node is one of constantValue, integerValue, bytesValue,
valueReference, argumentReference, arrayValue, dictionaryValue, functionDefinitionValue,
functionInvocationValue. A node without free arguments is evaluated once.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

from earthengine import functions, image_functions  # noqa: F401 (they register themselves)
from earthengine.images import EarthEngineError
from earthengine.values import FUNCTIONS, Context

Function = Callable[..., Any]


class Graph:
    """One expression and the catalogue it is about."""

    def __init__(self, expression: Mapping[str, Any], context: Context) -> None:
        self.values = expression["values"]
        self.root = expression["result"]
        self.context = context
        self._known: dict[str, Any] = {}
        self._free: dict[str, bool] = {}

    def evaluate(self) -> Any:
        return self._reference(self.root, {})

    def _reference(self, key: str, arguments: Mapping[str, Any]) -> Any:
        if key in self._known:
            return self._known[key]
        if key not in self.values:
            raise EarthEngineError(f"Invalid value reference: '{key}'.")
        value = self._node(self.values[key], arguments)
        if not self._has_free(key):
            self._known[key] = value
        return value

    def _has_free(self, key: str) -> bool:
        if key not in self._free:
            self._free[key] = self._mentions_argument(self.values[key])
        return self._free[key]

    def _mentions_argument(self, node: Any) -> bool:
        if isinstance(node, list):
            return any(self._mentions_argument(item) for item in node)
        if not isinstance(node, Mapping):
            return False
        if "argumentReference" in node:
            return True
        if "valueReference" in node:
            return self._has_free(node["valueReference"])
        if "functionDefinitionValue" in node:
            return self._has_free(node["functionDefinitionValue"]["body"])
        if "constantValue" in node:
            return False
        return any(self._mentions_argument(item) for item in node.values())

    def _node(self, node: Mapping[str, Any], arguments: Mapping[str, Any]) -> Any:
        if len(node) != 1:
            raise EarthEngineError(f"A value node has one field, found {sorted(node)}.")
        (kind, value), *_ = node.items()
        match kind:
            case "constantValue":
                return value
            case "integerValue":
                return int(value)
            case "bytesValue":
                return base64.b64decode(value)
            case "valueReference":
                return self._reference(value, arguments)
            case "argumentReference":
                if value not in arguments:
                    raise EarthEngineError(f"Unbound argument '{value}'.")
                return arguments[value]
            case "arrayValue":
                return [self._node(item, arguments) for item in value["values"]]
            case "dictionaryValue":
                return {k: self._node(item, arguments) for k, item in value["values"].items()}
            case "functionDefinitionValue":
                return self._closure(value, arguments)
            case "functionInvocationValue":
                return self._call(value, arguments)
        raise EarthEngineError(f"Unknown value node '{kind}'.")

    def _closure(self, definition: Mapping[str, Any], outer: Mapping[str, Any]) -> Function:
        names = definition["argumentNames"]

        def function(*given: Any) -> Any:
            bound = {**outer, **dict(zip(names, given, strict=True))}
            return self._reference(definition["body"], bound)

        return function

    def _call(self, call: Mapping[str, Any], arguments: Mapping[str, Any]) -> Any:
        given = {
            name: self._node(node, arguments) for name, node in call.get("arguments", {}).items()
        }
        name = call.get("functionName", "of a function reference")
        if name not in FUNCTIONS:
            raise EarthEngineError(f"Function '{name}' is not known to this service.")
        known = self.context.algorithms.get(name, {})
        for argument in given:
            if argument not in known:
                raise EarthEngineError(f"{name}: unexpected argument '{argument}'.")
        missing = [k for k, optional in known.items() if not optional and k not in given]
        if missing:
            raise EarthEngineError(f"{name}: required argument '{missing[0]}' is missing.")
        return FUNCTIONS[name](self.context, **given)
