"""Language of reports, agreements, facts and rows."""
