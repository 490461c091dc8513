"""The last word before a stage hangs names the place where it hangs."""

import pyarrow as pa

from engine.executors.local import LocalExecutor
from engine.executors.results import StepProgress
from sandbox.guest.stages import StageContext, samples
from sandbox.guest.stages.loading import Problems


def test_steps_are_announced_before_they_run(tmp_path, monkeypatch):
    heard = []

    def run(_self, _steps, _table, *, prepare, progress):
        heard.append("a step begins")
        progress(StepProgress("one", 1, 2, 2, 4))
        progress(StepProgress("one", 1, 2, 4, 4))
        progress(StepProgress("two", 2, 2, 4, 4))
        return prepare

    monkeypatch.setattr(LocalExecutor, "run", run)
    context = StageContext("p", tmp_path, [], {}, -1, "", lambda message: heard.append(message.body["at"]))
    samples._execute(context, {"steps": []}, pa.table({}), Problems(tmp_path))
    assert heard == [
        "running the steps over the sample rows",
        "a step begins",
        "step one: 2 of 4 rows",
        "step one: 4 of 4 rows, then the next step",
        "step two: 4 of 4 rows",
    ]
