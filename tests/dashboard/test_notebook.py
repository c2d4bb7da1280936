from __future__ import annotations

import numpy as np

import neuralsorter as ns


def test_edits_in_a_notebook_land_in_the_project_it_holds() -> None:
    spikes = ns.Spikes(
        raw=np.zeros((6, 30), np.int16), times_s=np.arange(6.0), channel=np.ones(6, int), unit=np.ones(6, int),
        experiment=np.zeros(6, int),
    )  # fmt: skip
    project = ns.Project.in_memory(spikes)
    block = ns.curate(project)
    block.app.act("select all")
    block.app.act("send to 2")
    assert project.counts(1) == {2: 6}
    block.app.close()
