"""`record`: start, stop, mask or unmask the recording, then say so. The announcement is in the recording: who asks
later whether it was heard can hear it. Waits as `say` does."""

from __future__ import annotations

from config.schema import Record as RecordState
from ivr.run import Phase, Run
from ivr.signals import Record


def enter(run: Run, state: RecordState) -> None:
    run.out.append(Record(state.record))
    if state.announce:
        run.play(state.announce, Phase.SAYING)
    else:
        run.go(state.then)
