from datetime import UTC, datetime

from dashboard.domain.pipeline import PipelineStep, PipelineVersion
from dashboard.domain.version_difference import differences, steps_words


def version(*steps):
    return PipelineVersion(1, "v", datetime(2026, 1, 1, tzinfo=UTC), steps)


ONE = PipelineStep("hf", "aaaaaaaa-1", "sha-1")
TWO = PipelineStep("hf", "bbbbbbbb-2", "sha-2")
OTHER = PipelineStep("onnx", "cccccccc-3", "sha-3")


def test_the_same_steps_differ_in_nothing():
    assert differences(version(ONE), version(ONE)) == ()


def test_another_version_of_the_same_model_is_named():
    (told,) = differences(version(ONE), version(TWO))
    assert told == "another version of hf: bbbbbbbb in place of aaaaaaaa."


def test_a_new_upload_of_the_same_file_is_said_to_be_that():
    (told,) = differences(version(ONE), version(PipelineStep("hf", "bbbbbbbb-2", "sha-1")))
    assert told.endswith("The file is the same.")


def test_steps_that_came_and_went_are_named_with_their_number():
    assert differences(version(ONE), version(OTHER, TWO)) == (
        "Step 1: onnx (cccccccc) in place of hf (aaaaaaaa).",
        "Step 2: hf (bbbbbbbb) was added.",
    )
    assert differences(version(ONE, OTHER), version(ONE)) == (
        "Step 2: onnx (cccccccc) was removed.",
    )


def test_steps_are_told_in_their_order():
    assert steps_words((ONE, OTHER)) == "hf (aaaaaaaa), then onnx (cccccccc)"
    assert steps_words(()) == "no steps"
