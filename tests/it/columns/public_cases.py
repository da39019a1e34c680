"""Reads the cases of the published tableschema library's own tests: public_cases.py FOLDER_OF_ITS_SOURCES

They are parameters of its test functions, and read without running any of its code. Writes those whose value is a text
that could stand in a cell, one JSON object a line: the field, the value, and whether the library takes it.
"""
import ast
import json
import pathlib
import sys

OPTIONS = "options"


def literal(node):
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None  # something that Python makes, which no cell can hold


for path in sorted(pathlib.Path(sys.argv[1]).glob("tableschema-*/tests/types/test_*.py")):
    kind = path.stem.removeprefix("test_")
    for function in ast.parse(path.read_text()).body:
        if not isinstance(function, ast.FunctionDef) or not function.name.startswith("test_cast_"):
            continue
        for decorator in function.decorator_list:
            names = [name.strip() for name in literal(decorator.args[0]).split(",")]
            for values in decorator.args[1].elts:
                case = dict(zip(names, values.elts))
                value, form = literal(case["value"]), literal(case["format"])
                if not isinstance(value, str) or not value:
                    continue
                field = {"name": "f", "type": kind, **(literal(case[OPTIONS]) if OPTIONS in case else {})}
                if form != "default":
                    field["format"] = form
                good = ast.unparse(case["result"]) != "ERROR"
                print(json.dumps({"field": field, "value": value, "good": good}))
