import pytest

from crab.learn.metrics import box_iou, temporal_iou


@pytest.mark.parametrize(("said", "true", "iou"), [
    ([(0, 4)], [(0, 4)], 1.0),
    ([(0, 4)], [(2, 6)], 2 / 6),
    ([(0, 2), (4, 6)], [(0, 6)], 4 / 6),
    ([(0, 3), (2, 6)], [(0, 6)], 1.0),  # stretches of one answer may overlap
    ([], [(0, 4)], 0.0),
    ([], [], 1.0),
])  # fmt: skip
def test_temporal_iou(said, true, iou):
    assert temporal_iou(said, true) == pytest.approx(iou)


@pytest.mark.parametrize(("a", "b", "iou"), [
    ((0, 0, 2, 2), (0, 0, 2, 2), 1.0),
    ((0, 0, 2, 2), (1, 1, 3, 3), 1 / 7),
    ((0, 0, 1, 1), (2, 2, 3, 3), 0.0),
])  # fmt: skip
def test_box_iou(a, b, iou):
    assert box_iou(a, b) == pytest.approx(iou) == box_iou(b, a)
