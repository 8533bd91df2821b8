"""Check a value against a JSON Schema, as far as our generated documents use it; what they do not use is refused."""

import re
from typing import Any

Json = dict[str, Any]

ANNOTATIONS = {"title", "description", "default", "discriminator", "contentEncoding"}
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def check(value: Any, schema: Json, document: Json, where: str = "$") -> None:
    """Fail with the place and the reason when `value` does not fit; `document` is where `$ref`s lead into."""
    rest = {key: said for key, said in schema.items() if key not in ANNOTATIONS and not key.startswith("x-")}
    if "$ref" in rest:
        check(value, resolve(rest.pop("$ref"), document), document, where)
    if "anyOf" in rest:
        _check_any(value, rest.pop("anyOf"), document, where)
    if "type" in rest:
        kind = rest.pop("type")
        fits = isinstance(value, TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))
        assert fits, f"{where}: {value!r} is no {kind}"
    if "enum" in rest:
        assert value in rest.pop("enum"), f"{where}: {value!r} is none of {schema['enum']}"
    if isinstance(value, dict):
        _check_object(value, rest, document, where)
    if isinstance(value, list):
        for index, item in enumerate(value):
            check(item, rest.get("items", {}), document, f"{where}[{index}]")
    if isinstance(value, str):
        _check_text(value, rest, where)
    if isinstance(value, int):
        assert rest.get("minimum", value) <= value <= rest.get("maximum", value), f"{where}: {value} is out of range"
    known = {"properties", "required", "additionalProperties", "items"}
    known |= {"minLength", "maxLength", "pattern", "minimum", "maximum"}
    assert not set(rest) - known, f"{where}: this checker does not know {set(rest) - known}"


def resolve(reference: str, document: Json) -> Json:
    """What a local `$ref` names. Fails when there is no such thing."""
    place: Any = document
    for step in reference.removeprefix("#/").split("/"):
        assert step in place, f"{reference} leads nowhere"
        place = place[step]
    return dict(place)


def references(value: Any) -> set[str]:
    """Every `$ref` in a document."""
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(references(inner) for inner in value.values()))
    if isinstance(value, list):
        return set[str]().union(*(references(inner) for inner in value))
    return set()


def _check_any(value: Any, choices: list[Json], document: Json, where: str) -> None:
    reasons = []
    for choice in choices:
        try:
            check(value, choice, document, where)
        except AssertionError as error:
            reasons.append(str(error))
        else:
            return
    raise AssertionError(f"{where}: fits none: {'; '.join(reasons)}")


def _check_object(value: Json, schema: Json, document: Json, where: str) -> None:
    properties = schema.get("properties", {})
    missing = set(schema.get("required", ())) - set(value)
    assert not missing, f"{where}: {missing} missing"
    for name, inner in value.items():
        if name in properties:
            check(inner, properties[name], document, f"{where}.{name}")
        else:
            extra = schema.get("additionalProperties", True)
            assert extra is not False, f"{where}: {name} is not foreseen"
            if isinstance(extra, dict):
                check(inner, extra, document, f"{where}.{name}")


def _check_text(value: str, schema: Json, where: str) -> None:
    low, high = schema.get("minLength", 0), schema.get("maxLength", len(value))
    assert low <= len(value) <= high, f"{where}: {len(value)} characters"
    assert re.search(schema.get("pattern", ""), value), f"{where}: {value!r} does not look as it should"


def undeclared(value: Any, schema: Json, document: Json, where: str = "$") -> set[str]:
    """Fields of an answer that its schema does not name: an answer carries what is listed and nothing else."""
    if "$ref" in schema:
        return undeclared(value, resolve(schema["$ref"], document), document, where)
    if "anyOf" in schema:
        return set.intersection(*(undeclared(value, choice, document, where) for choice in schema["anyOf"]))
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        if isinstance(schema.get("additionalProperties"), dict):
            properties = {**dict.fromkeys(value, schema["additionalProperties"]), **properties}
        found = {f"{where}.{name}" for name in set(value) - set(properties)}
        inner = (
            undeclared(value[name], properties[name], document, f"{where}.{name}")
            for name in properties
            if name in value
        )
        return found.union(*inner)
    if isinstance(value, list):
        return set[str]().union(*(undeclared(item, schema.get("items", {}), document, f"{where}[]") for item in value))
    return set()
