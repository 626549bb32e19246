"""The alert rules, as promtool runs them."""

from __future__ import annotations

import subprocess

import yaml

from tests.support.prometheus import needed
from tests.support.shell import ROOT

FOLDER = ROOT / "deploy" / "prometheus"


def test_rules_on_verdicts_and_the_copy_fire_and_keep_quiet() -> None:
    command = [needed("promtool"), "test", "rules", "alerts.test.yml"]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_rule_on_verdicts_and_the_copy_has_a_firing_and_a_quiet_test() -> None:
    groups = {each["name"]: each for each in yaml.safe_load((FOLDER / "alerts.yml").read_text("utf-8"))["groups"]}
    tested = yaml.safe_load((FOLDER / "alerts.test.yml").read_text("utf-8"))["tests"]
    seen = {(each["alertname"], bool(each["exp_alerts"])) for test in tested for each in test["alert_rule_test"]}
    rules = [each["alert"] for each in groups["trucewatch-verdicts"]["rules"]]
    for rule in (*rules, "TrucewatchCopyOld"):
        assert {(rule, True), (rule, False)} <= seen
