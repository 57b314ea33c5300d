#!/usr/bin/env python3
"""docs/openapi.json describes the HTTP door that there is.

usage: openapi.py SOURCE_DIR

Its paths and methods are those of http_routes.c, the codes of its problems
those of http_answer.c (and of docs/http.md), the members of its bodies those
that the door reads, its statuses those of base/status.c, both ways; and it is
an OpenAPI 3.1 document whose references, schemas and examples hold. That real
answers are as it says is tested by tests/live/openapi.py.
"""
import glob
import json
import os
import re
import sys

import jsonschema

source, = sys.argv[1:]
wrong = []
PREFIX, PROBES = "/api/v1/", ("/healthz", "/readyz")
# Said of no operation, but of paths and methods that are none.
EVERYWHERE = {"NotFound", "MethodNotAllowed"}
METHODS = ("get", "post", "delete")
# Which schema a table of members in the door is: (file, table) to its name, or
# to those that share it.
TABLES = {
    ("http_tx.c", "begin_members"): ["Begin"],
    ("http_tx.c", "report_members"): ["Report"],
    ("http_tx.c", "decision_members"): ["Rollback"],
    ("http_branch.c", "members"): ["BranchTcc", "BranchSaga", "BranchXa",
                                   "BranchMessage"],
    ("http_branch.c", "lock_members"): ["LockKey"],
    ("http_to.c", "delivery_members"): ["Delivery"],
    ("http_message.c", "members"): ["Message"],
    ("http_topic.c", "members"): ["Subscribe"],
    ("http_saga.c", "start_members"): ["SagaStart"],
    ("http_saga.c", "move_members"): ["Skip"],
    ("http_action.c", "members"): ["Resolve"],
    ("http_action.c", "row_members"): ["SeenRow"],
}
KINDS = {"TEXT": "string", "NUMBER": "integer", "FLAG": "boolean",
         "OBJECT": "object", "LIST": "array"}
MAXIMA = {"TEXT": "maxLength", "NUMBER": "maximum", "LIST": "maxItems"}


def read(path):
    with open(os.path.join(source, path), encoding="utf-8") as f:
        return f.read()


def compare(what, here, there):
    for name in sorted(here - there):
        wrong.append("%s: %s is not in docs/openapi.json" % (what, name))
    for name in sorted(there - here):
        wrong.append("%s: docs/openapi.json has %s, which is not there" %
                     (what, name))


doc = json.loads(read("docs/openapi.json"))
schemas = doc["components"]["schemas"]
responses = doc["components"]["responses"]
operations = [(method, path, item[method]) for path, item in
              doc["paths"].items() for method in item]


def resolve(ref):
    at = doc
    for part in ref.removeprefix("#/").split("/"):
        if part not in at:
            wrong.append("%s leads nowhere" % ref)
            return {}
        at = at[part]
    return at


def of(thing):
    return resolve(thing["$ref"]) if "$ref" in thing else thing


# ---- the door ----

def check_routes():
    text = read("tc/door/http_routes.c")
    short = dict(re.findall(r'#define (\w+) +"(.*)"', text))
    here = set()
    for method, path in re.findall(
            r'\{ "([A-Z]+)", (.*?),\s+(?:true|false),', text):
        for name, means in short.items():
            path = re.sub(r"\b%s\b" % name, '"%s"' % means, path)
        path = re.sub(r'" "|"', "", path)
        if path.startswith(PREFIX) or path in PROBES:
            here.add("%s %s" % (method, path))
    if len(here) < 30:
        wrong.append("only %d routes were found" % len(here))
    compare("routes", here, {"%s %s" % (method.upper(),
                                        re.sub(r"\{\w+\}", "{}", path))
                             for method, path, _ in operations})


def codes_of(response):
    """Status and codes of a problem."""
    says = response["content"]["application/problem+json"]["schema"]
    says = says["allOf"][1]["properties"]
    return says["status"]["const"], says["code"]["enum"]


def check_codes():
    table = read("tc/door/http_answer.c")
    here = dict((code, (int(status), name)) for name, status, code in re.findall(
        r'\[(PROBLEM_\w+)\] = \{ (\d+), "(\w+)"', table))
    compare("codes", set(here),
            set(schemas["Problem"]["properties"]["code"]["enum"]))
    said = set()
    for name, response in responses.items():
        status, codes = codes_of(response)
        said |= set(codes)
        for code in codes:
            if here.get(code, (status,))[0] != status:
                wrong.append("%s: %s is not %d" % (name, code, status))
    compare("codes of answers", set(here), said)
    door = "".join(read(os.path.relpath(f, source)) for f in glob.glob(
        os.path.join(source, "tc/door/*.c")) if not f.endswith("answer.c"))
    for code, (_, name) in here.items():
        if not re.search(r"\b%s\b" % name, door):
            wrong.append("no answer of the door has the code " + code)
    page = read("docs/http.md").split("### Errors")[1]
    compare("codes in docs/http.md", set(re.findall(
        r"`(\w+)`", "".join(row.split("|")[2] for row in page.splitlines()
                            if re.match(r"\| \d", row)))), set(here))


def constants():
    out = {}
    for path in [os.path.join(source, "base/url.h"),
                 *glob.glob(os.path.join(source, "tc/door/http_*.[ch]"))]:
        for name, value in re.findall(r"^#define (\w+) +(.+?)\s*(?:/\*.*)?$",
                                      read(os.path.relpath(path, source)), re.M):
            out.setdefault(name, value)
    return out


def number(text, known):
    for _ in range(3):
        text = re.sub(r"[A-Z]\w+", lambda m: known.get(m[0], m[0]), text)
    text = text.replace("4294967295U", "4294967295")
    text = re.sub(r"UINT64_C\((\d+)\)", r"\1", text)
    text = text.replace("UINT32_MAX", "4294967295").strip()
    return eval(text) if re.fullmatch(r"[\d\s()*+<-]+", text) else None


def members_of(file, table):
    text = read("tc/door/" + file)
    body = re.search(r"struct field %s\[\] = \{\n(.*?)\n\};" % table, text,
                     re.S)[1]
    for name, kind, needed, most in re.findall(
            r"FIELD\(struct \w+,\s+(\w+),\s+FIELD_(\w+),\s+(\w+),\s+([^)]+)\)",
            body):
        yield name, kind, needed == "true", most
    for name, kind, most in re.findall(
            r"DELIVERY\((\w+), FIELD_(\w+), ([^)]+)\)", body):
        yield name, kind, False, most


def check_member(where, schema, name, kind, most):
    says = of(schema["properties"][name])
    types = says.get("type", [])
    types = [types] if isinstance(types, str) else types
    if "const" in says or "enum" in says:
        return
    if kind in KINDS and KINDS[kind] not in types:
        wrong.append("%s: %s is no %s" % (where, name, kind))
    if kind in MAXIMA and says.get(MAXIMA[kind]) != most:
        wrong.append("%s: %s may be up to %s, not %s" %
                     (where, name, most, says.get(MAXIMA[kind])))


def check_members():
    known = constants()
    for (file, table), names in TABLES.items():
        here = {m[0]: m for m in members_of(file, table)}
        where = "%s, %s" % (file, table)
        if not here:
            wrong.append(where + ": no members were found")
        there = set()
        for schema_name in names:
            schema = schemas[schema_name]
            there |= set(schema["properties"])
            if schema.get("additionalProperties") is not False:
                wrong.append(schema_name + " is not strict")
            for name, (_, kind, needed, most) in here.items():
                if name not in schema["properties"]:
                    continue
                check_member(schema_name, schema, name, kind,
                             number(most, known))
                if needed and name not in schema.get("required", ()):
                    wrong.append("%s: %s is needed" % (schema_name, name))
        compare(where, set(here), there)
    tables = {(os.path.basename(f), name) for f in glob.glob(
        os.path.join(source, "tc/door/*.c")) for name in re.findall(
            r"struct field (\w+)\[\]", read(os.path.relpath(f, source)))}
    compare("tables of members", tables, set(TABLES))


def check_statuses():
    text = read("base/status.c")
    for schema, prefix in (("TransactionStatus", "GTX"),
                           ("BranchStatus", "BRANCH")):
        names = re.findall(r'\[%s_\w+\] = "(\w+)"' % prefix,
                           re.sub(r"=\s+", "= ", text))
        if names != schemas[schema]["enum"]:
            wrong.append(schema + " is not as in base/status.c")
    kinds = re.findall(r'\[HISTORY_\w+\] = "(\w+)"', read("tc/core/rows.c"))
    if kinds != schemas["HistoryKind"]["enum"]:
        wrong.append("HistoryKind is not as in tc/core/rows.c")
    version = re.search(r"project\(treaty VERSION ([\d.]+)",
                        read("CMakeLists.txt"))[1]
    if doc["info"]["version"] != version:
        wrong.append("info.version is not %s" % version)


# ---- the document itself ----

def refs_in(thing):
    if isinstance(thing, dict):
        for key, value in thing.items():
            if key == "$ref":
                yield value
            elif key != "examples":
                yield from refs_in(value)
    elif isinstance(thing, list):
        for value in thing:
            yield from refs_in(value)


def check_references():
    used = set(refs_in(doc))
    for ref in used:
        resolve(ref)
    for kind, things in doc["components"].items():
        for name in things:
            if "#/components/%s/%s" % (kind, name) not in used and \
                    name not in EVERYWHERE:
                wrong.append("components/%s/%s is not used" % (kind, name))


def validator(schema):
    """Of a schema of the document, whose references are found in it."""
    return jsonschema.Draft202012Validator(
        {"allOf": [schema], "components": doc["components"]})


def check_schemas():
    for name, schema in schemas.items():
        try:
            jsonschema.Draft202012Validator.check_schema(schema)
        except jsonschema.SchemaError as error:
            wrong.append("%s: %s" % (name, error.message))


def check_parameters(where, path, operation):
    params = [of(p) for p in operation.get("parameters", ())]
    inside = {p["name"] for p in params if p["in"] == "path"}
    if inside != set(re.findall(r"\{(\w+)\}", path)):
        wrong.append(where + ": its path has other parameters")
    for p in params:
        if p["in"] not in ("path", "query", "header") or "schema" not in p or \
                (p["in"] == "path" and not p.get("required")):
            wrong.append("%s: parameter %s" % (where, p["name"]))


def check_body(where, operation):
    content = operation["requestBody"]["content"]["application/json"]
    if not content["examples"]:
        wrong.append(where + ": its body has no example")
    for name, example in content["examples"].items():
        for error in validator(content["schema"]).iter_errors(example["value"]):
            wrong.append("%s: example %s: %s" % (where, name, error.message))


def check_operation(method, path, operation):
    where = "%s %s" % (method.upper(), path)
    if method not in METHODS or set(operation) - {
            "operationId", "tags", "summary", "description", "parameters",
            "requestBody", "responses"}:
        wrong.append(where + ": members that OpenAPI does not know")
    if not set(operation["tags"]) <= {tag["name"] for tag in doc["tags"]}:
        wrong.append(where + ": a tag that is not there")
    check_parameters(where, path, operation)
    if "requestBody" in operation:
        check_body(where, operation)
    if (method == "post") != ("requestBody" in operation):
        wrong.append(where + ": a POST has a body, others have none")
    for status, response in operation["responses"].items():
        response = of(response)
        if "description" not in response:
            wrong.append("%s: %s says nothing" % (where, status))
        if status >= "4" and codes_of(response)[0] != int(status):
            wrong.append("%s: %s is another status" % (where, status))
    if not any(s.startswith("2") for s in operation["responses"]):
        wrong.append(where + ": no good answer")


def check_document():
    if not re.fullmatch(r"3\.1\.\d", doc["openapi"]) or set(doc) - {
            "openapi", "info", "servers", "tags", "paths", "components"}:
        wrong.append("this is no OpenAPI 3.1 document")
    names = [operation["operationId"] for _, _, operation in operations]
    if len(names) != len(set(names)):
        wrong.append("an operationId is there twice")
    for method, path, operation in operations:
        check_operation(method, path, operation)


def main():
    for check in (check_routes, check_codes, check_members, check_statuses,
                  check_references, check_schemas, check_document):
        check()
    for line in wrong:
        print(line)
    return 1 if wrong else 0


sys.exit(main())
