"""What a record says of the processor that made it: its name, and what tells apart those of one name."""

import platform

import pytest
import torch

from prunemark.benchmark.training import execution
from prunemark.benchmark.trial import report
from prunemark.records.observed import GPU_FLOAT32, INSTRUCTIONS, PROCESSOR_KIND

ZEN_5 = """processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 26
model\t\t: 2
model name\t: AMD EPYC
stepping\t: 1
flags\t\t: fpu sse: avx2

processor\t: 1
model name\t: another
"""
ARM = "processor\t: 0\nBogoMIPS\t: 2100.00\nCPU implementer\t: 0x41\nCPU variant\t: 0x1\nCPU part\t: 0xd40\n"


@pytest.fixture
def processor(tmp_path, monkeypatch):
    """Makes Linux say something else of the processor."""

    def say(text):
        (tmp_path / "cpuinfo").write_text(text)
        monkeypatch.setattr(report, "CPUINFO", tmp_path / "cpuinfo")

    return say


def test_processors_of_one_name_are_told_apart(processor):
    processor(ZEN_5)
    assert report.hardware("cpu") == "AMD EPYC"
    assert report.versions("cpu")[PROCESSOR_KIND] == "vendor_id AuthenticAMD, cpu family 26, model 2, stepping 1"
    processor(ZEN_5.replace("26", "25"))
    assert report.versions("cpu")[PROCESSOR_KIND] == "vendor_id AuthenticAMD, cpu family 25, model 2, stepping 1"


def test_arm_has_other_words_and_no_name(processor):
    processor(ARM)
    assert report.hardware("cpu") == platform.machine()
    assert report.versions("cpu")[PROCESSOR_KIND] == "CPU implementer 0x41, CPU variant 0x1, CPU part 0xd40"


def test_where_there_is_no_linux_nothing_is_made_up(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "CPUINFO", tmp_path / "nowhere")
    assert report.hardware("cpu") == platform.machine()
    found = report.versions("cpu")
    assert PROCESSOR_KIND not in found and found[INSTRUCTIONS] == torch.backends.cpu.get_cpu_capability()


def test_of_a_gpu_the_processor_says_nothing(processor):
    processor(ZEN_5)
    assert not {PROCESSOR_KIND, INSTRUCTIONS} & set(report.versions("cuda"))


def test_where_a_gpu_computes_float32_as_tf32_is_said():
    before, said = execution.held(), []
    for products, convolutions in ((False, True), (True, True), (False, False)):  # the first is torch's own choice
        execution.hold_again((products, convolutions, *before[2:]))
        said.append(report.versions("cuda")[GPU_FLOAT32])
    execution.hold_again(before)
    assert said == ["TF32 in convolutions", "TF32 in products and convolutions", "no TF32"]
    assert GPU_FLOAT32 not in report.versions("cpu")
