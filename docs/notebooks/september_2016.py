# /// script
# requires-python = ">=3.11"
# dependencies = ["altair", "duckdb>=1.5", "marimo", "pandas", "pyarrow", "pytz"]
# ///
"""Notebook of the seven days of September 2016, over the demo's published copy.

``trucewatch demo``, then ``marimo edit docs/notebooks/september_2016.py``. Another copy: ``-- --file PATH``.
"""

import marimo

app = marimo.App(width="medium")


@app.cell
def _():
    import altair as alt
    import duckdb
    import marimo as mo

    file = mo.cli_args().get("file") or "trucewatch-demo/syria-2016/compliance.duckdb"
    published = duckdb.connect()
    published.execute(f"ATTACH '{file}' AS published (READ_ONLY)")
    published.execute("USE published")
    published.execute("SET TimeZone = 'UTC'")

    def asked(sql):
        return published.sql(sql).df()

    return alt, asked, mo


@app.cell
def _(asked, mo):
    gate = asked("SELECT is_open, regions_holding, regions_needed, required_days FROM gate").iloc[0]
    mo.md(f"""
    # Did the test of September 2016 hold?

    Seven days of reduced violence and of access were to hold in every region before the two sponsors
    would share intelligence. **{gate.regions_holding} of {gate.regions_needed}** regions held
    {gate.required_days} days, so the gate is **{"open" if gate.is_open else "closed"}**.

    A day that nobody watched is UNKNOWN: silence is not peace.
    """)
    return


@app.cell
def _(alt, asked, mo):
    grid = asked("SELECT region_name AS region, truce_day, verdict, rule FROM grid")
    symbols = alt.Scale(domain=["MET", "UNKNOWN", "BROKEN"])
    base = alt.Chart(grid).encode(
        x=alt.X("yearmonthdate(truce_day):O", title="truce-day"), y=alt.Y("region:N", title=None)
    )
    # Okabe-Ito colours, and a sign for whoever does not see them.
    squares = base.mark_rect().encode(
        color=alt.Color("verdict:N", scale=alt.Scale(domain=symbols.domain, range=["#009E73", "#F0E442", "#D55E00"])),
        tooltip=["region", "truce_day", "verdict", "rule"],
    )
    signs = (
        base.mark_text()
        .encode(text=alt.Text("sign:N"))
        .transform_calculate(sign="{'MET': '✓', 'UNKNOWN': '?', 'BROKEN': '✕'}[datum.verdict]")
    )
    mo.vstack([mo.md("## Every region and day"), squares + signs])
    return


@app.cell
def _(alt, asked, mo):
    counted = asked("""
        SELECT truce_day, incidents, violence_limit, access FROM day_verdicts
        WHERE region = 'SY02' ORDER BY truce_day
    """)
    days = alt.Chart(counted).encode(x=alt.X("yearmonthdate(truce_day):O", title="truce-day"))
    bars = days.mark_bar(color="#0072B2").encode(y=alt.Y("incidents:Q", title="incidents in scope"))
    limit = days.mark_tick(color="#D55E00", thickness=3, width=40).encode(y="violence_limit:Q")
    mo.vstack(
        [
            mo.md("## Aleppo\n\nIncidents against the limit. Later days are broken by the convoy that never came."),
            bars + limit,
            counted,
        ]
    )
    return


@app.cell
def _(asked, mo):
    ended = asked("""
        SELECT truce_day, reason ->> 'leg' AS leg, reason ->> 'rule' AS rule, reason ->> 'text' AS text
        FROM (SELECT truce_day, unnest(reasons -> '$[*]') AS reason FROM day_verdicts WHERE region = 'SY02')
        ORDER BY ALL
    """)
    words = asked("""
        WITH deciding AS (
            SELECT truce_day, unnest(evidence ->> '$.violence[*]') AS incident_id
            FROM day_verdicts WHERE region = 'SY02')
        SELECT d.truce_day, r.feed, r.report_id, l.why, r.deaths_best AS deaths
        FROM deciding AS d JOIN incident_reports AS l USING (incident_id) JOIN reports AS r USING (fact_offset)
        ORDER BY ALL
    """)
    mo.vstack(
        [
            mo.md("## Why its streak ended, and on whose word\n\nReasons by day and leg:"),
            ended,
            mo.md("Reports that decided. A report is its feed's word, and no finding of ours:"),
            words,
        ]
    )
    return


if __name__ == "__main__":
    app.run()
