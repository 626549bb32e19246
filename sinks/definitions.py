"""Views, macros and comments of a file, made for that file.

DuckDB looks up the tables of a view in the view's own file, and those of a macro in the database in use. Attached
beside another file, a macro would answer from the wrong one without a word. So no view rests on a macro that reads
tables, and such a macro answers only where the database in use is its own file, known by ``about.file_id``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import NamedTuple

from schemas.agreement import Agreement
from schemas.placenames import ARTICLES
from schemas.rows import LEGS, RECORDED, VERDICT_COLUMNS, DayVerdict
from sinks.silence import HEARD

#: In the order in which they build on each other.
_FILES = (
    "verdicts.sql",
    "views.sql",
    "crowds.sql",
    "bulletins.sql",
    "parties.sql",
    "declared.sql",
    "pullback.sql",
    "quoted.sql",
)
#: A schema whose name is the instruction: where no file of ours is in use, DuckDB says that it does not exist.
_ASKED = '"USE the file of this macro first"'
_MARK = "Tells the macros of file {file_id} which file is in use."

_STATEMENT = re.compile(
    r"CREATE OR REPLACE (?:MACRO (\w+)\(([\w, ]*)\) AS TABLE|(VIEW|MACRO) .*? AS)\s(.*?);\n", re.DOTALL
)
#: Stands first in the FROM of each macro: the first table DuckDB looks up, so that its error says what to do.
_OWN_FILE = """(
    SELECT CASE
        WHEN file_id <> '@file_id@' THEN error(
            'this macro belongs to a file of agreement @agreement@, and in use is another file, of agreement '
            || agreement_id || ': USE the file of the macro first, or ask its views'
        )
        WHEN (SELECT count(*) FROM duckdb_views() WHERE comment = '@mark@') > 1 THEN error(
            'copies of one file of agreement @agreement@ are attached, and a macro cannot tell which it was asked of: '
            || 'detach the others, or ask the views'
        )
        ELSE true
    END AS in_use
    FROM @asked@.file
) AS own_file"""
#: Rows of several files that are read together can be told apart.
_NAMED = "SELECT *, '@agreement@' AS agreement FROM (\n{}\n)"
#: Columns of a verdict whose change makes a version of any day, so that no other row tells of them.
_MADE_BY_VERSIONS = ("verdict", *LEGS, "violence_limit", "evidence")
#: Columns that ``verdict_changes`` compares as they are, in its order: parts of a count and what is in none come last.
_COMPARED = sorted(
    {*DayVerdict._fields} - {*RECORDED, "verdict", "reasons", "evidence", "rule", "contested_by"},
    key=lambda name: (
        name in {"incidents_sure", "incidents_possible", "refused_pending"},
        DayVerdict._fields.index(name),
    ),
)
#: Views over the log of verdicts, each with the columns of it that it leaves out.
_OF_VERDICTS = {"day_verdicts": (), "day_verdict_versions": (), "day_figures": _MADE_BY_VERSIONS}
_ANY_FILE = "(SELECT true AS in_use) AS own_file"


class _TableMacro(NamedTuple):
    parameters: list[str]
    body: str

    def called(self, arguments: list[str]) -> str:
        """Return the body as a subquery, the arguments in the place of the parameters."""
        given = dict(zip(self.parameters, arguments, strict=True))
        named = re.compile(rf"(?<![\w'.])({'|'.join(given)})(?![\w'])")
        return f"({named.sub(lambda match: given[match[1]], self.body)})"


def definitions(agreement: Agreement, file_id: str) -> str:
    """Return the SQL of every view, macro and comment on them for one file."""
    folder = resources.files("sinks") / "schema"
    text = "\n".join((folder / name).read_text("utf-8") for name in _FILES)
    monitor = agreement.violence.bulletins_of
    return _filled(
        _unfolded(text) + _comments_on_verdicts(text) + _comments_on_agreement(text),
        _of_verdicts()
        | {
            "asked": _ASKED,
            "mark": _MARK.format(file_id=file_id),
            "file_id": file_id,
            "agreement": agreement.id,
            "articles": ", ".join(f"'{article}'" for article in sorted(ARTICLES)),
            "bulletins_of": "NULL" if monitor is None else f"'{monitor}'",
            "baseline": agreement.violence.baseline.first_day.isoformat(),
            "first_day": agreement.first_day.isoformat(),
            "effective": str(agreement.effective),
            "heard": HEARD,
            "ends": "NULL" if agreement.last_day is None else str(agreement.calendar.end_of(agreement.last_day)),
        },
    )


def _of_verdicts() -> dict[str, str]:
    """Return what is filled in for each column of a verdict, or for each leg."""

    def each(names: Iterable[str], form: str, between: str = ", ") -> str:
        return between.join(form.format(place, name=name) for place, name in enumerate(names, 1))

    listed = "list_filter(coalesce({}, []), lambda each: NOT list_contains(coalesce({}, []), each))"
    later, earlier = (f"{side}.evidence ->> '$.{{name}}[*]'" for side in ("later", "earlier"))
    return {
        "made_by_versions": ", ".join(_MADE_BY_VERSIONS),
        "later": each(("verdict", *_COMPARED), "later.{name}"),
        "earlier": each(("verdict", *_COMPARED), "earlier.{name}"),
        # A day without a bulletin, or a toll, has none: that is null in JSON, and not a missing value.
        "moved": each(
            _COMPARED,
            "{{'field': '{name}', 'old': coalesce(to_json(earlier.{name}), 'null'::JSON), "
            "'new': coalesce(to_json(later.{name}), 'null'::JSON)}}",
        ),
        "evidence_added": each(LEGS, listed.format(later, earlier)),
        "evidence_removed": each(LEGS, listed.format(earlier, later)),
        "evidence_named": each(
            LEGS,
            "SELECT unnest(evidence ->> '$.{name}[*]') AS id, '{name}' AS leg, "
            "generate_subscripts(evidence ->> '$.{name}[*]', 1) AS place FROM verdict",
            " UNION ALL ",
        ),
        "findings_told": each(LEGS, "UNION ALL SELECT 4, {}, '{name}', {name}, NULL FROM verdict", " "),
    }


def _unfolded(text: str) -> str:
    """Return the statements with table macros unfolded wherever they are called.

    A macro that calls another one would look that up in the database in use as well.
    """
    macros: dict[str, _TableMacro] = {}
    written: list[str] = []
    end = 0
    for statement in _STATEMENT.finditer(text):
        body = _with_calls_unfolded(statement[4], macros)
        if statement[1]:
            macros[statement[1]] = _TableMacro(statement[2].split(", "), body.replace("@own_file@", _ANY_FILE))
        body = body.replace("@own_file@", _OWN_FILE)
        start, after = statement.span(4)
        written += [text[end:start], _NAMED.format(body) if statement[3] == "VIEW" else body]
        end = after
    return "".join([*written, text[end:]])


def _comments_on_verdicts(text: str) -> str:
    """Return the comments of ``verdict_log`` for its views, but where a view has its own."""
    files = (resources.files("sinks") / "schema").iterdir()
    tables = "".join(file.read_text("utf-8") for file in files if re.match(r"v\d+\.sql$", file.name))
    told = dict(re.findall(r"^COMMENT ON COLUMN verdict_log\.(\w+) IS (.*);$", tables, re.MULTILINE))
    return "".join(
        f"COMMENT ON COLUMN {view}.{name} IS {told[name]};\n"
        for view, left_out in _OF_VERDICTS.items()
        for name in VERDICT_COLUMNS
        if name not in left_out and f"COMMENT ON COLUMN {view}.{name} IS " not in text
    )


def _comments_on_agreement(text: str) -> str:
    named = re.findall(r"^CREATE OR REPLACE VIEW (\w+) AS$", text, re.MULTILINE)
    return "".join(f"COMMENT ON COLUMN {view}.agreement IS 'Id of the agreement the file judges.';\n" for view in named)


def _with_calls_unfolded(body: str, macros: Mapping[str, _TableMacro]) -> str:
    call = re.compile(rf"\b({'|'.join(macros)})\(") if macros else None
    while call is not None and (found := call.search(body)) is not None:
        arguments, after = _arguments(body, found.end())
        body = body[: found.start()] + macros[found[1]].called(arguments) + body[after:]
    return body


def _arguments(text: str, start: int) -> tuple[list[str], int]:
    """Return the arguments of a call, whose bracket opened before ``start``, and where it ends."""
    arguments: list[str] = []
    depth, begun = 0, start
    for at in range(start, len(text)):
        match text[at]:
            case "(":
                depth += 1
            case ")" if depth == 0:
                return [*arguments, text[begun:at]], at + 1
            case ")":
                depth -= 1
            case "," if depth == 0:
                arguments.append(text[begun:at].strip())
                begun = at + 1
    raise ValueError(f"a call that does not end: {text[start:]}")


def _filled(text: str, values: Mapping[str, str]) -> str:
    return re.sub(rf"@({'|'.join(values)})@", lambda match: values[match[1]], text)
