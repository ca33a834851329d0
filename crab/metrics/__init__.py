"""How near answers are to the truth, measured as the fields measure it that the questions come from.

Every measure of a set takes what was answered and what is true as two sequences in one order and counts each question:
an answer that could not be read is a wrong answer, never one question less. Labels, choices and captions are compared
by their words alone, without case and punctuation. All shares and scores lie between 0 and 1, except where it says so.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from crab.answer import Event
from crab.metrics.caption import tokens

Span = tuple[float, float]  # start, end in seconds
Corners = tuple[float, float, float, float]  # x1, y1, x2, y2
Gram = tuple[str, ...]  # words in a row

SEGMENTS = 10  # of a clip of AVE or LLP, each a second long
NEAR_ENOUGH = 0.5  # IoU from which one event of LLP is taken for another
TEMPORAL_IOUS = np.linspace(0.1, 0.9, 9)  # of UnAV-100; 0.3 and 0.7 lie a rounding above, as there
SAME_TIME = 1e-3  # s: how far apart two true events of UnAV-100 may lie and still be one
BOX_IOUS = tuple(step / 20 for step in range(21))  # of ARIG: 0 to 1
BETA_SQUARED = 0.3  # of the F-score of masks: precision counts more than recall
NGRAMS = 4  # CIDEr looks at runs of one to four words
LENGTH_SIGMA = 6.0  # words: how wide CIDEr-D's penalty on a difference in length is


def temporal_iou(prediction: Sequence[Span], reference: Sequence[Span]) -> float:
    """Seconds in both over seconds in either, each a set of stretches; 1.0 where both are empty."""
    edges = sorted({edge for span in (*prediction, *reference) for edge in span})
    both = either = 0.0
    for start, end in zip(edges, edges[1:]):
        inside = [any(a <= start and end <= b for a, b in spans) for spans in (prediction, reference)]
        both += (end - start) * all(inside)
        either += (end - start) * any(inside)
    return both / either if either else 1.0


def box_iou(a: Corners, b: Corners) -> float:
    """Area of the intersection over area of the union."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    both = max(width, 0.0) * max(height, 0.0)
    either = sum((x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in (a, b)) - both
    return both / either if either else 0.0


def _words(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", text.casefold()))


# ---- choices: AVQA, emotions, actions, matching ----


def accuracy(predictions: Sequence[str | None], references: Sequence[str]) -> float:
    """Share of the choices that are the true ones, word by word; None, no choice at all, is wrong."""
    return float(np.mean([_same(*pair) for pair in zip(predictions, references, strict=True)]))


def accuracy_by_type(
    predictions: Sequence[str | None], references: Sequence[str], *, types: Sequence[str]
) -> dict[str, float]:
    """`accuracy` among the questions of each type, as MUSIC-AVQA tells it (Li et al., CVPR 2022)."""
    right = defaultdict(list)
    for prediction, reference, kind in zip(predictions, references, types, strict=True):
        right[kind].append(_same(prediction, reference))
    return {kind: float(np.mean(of)) for kind, of in sorted(right.items())}


def _same(prediction: str | None, reference: str) -> bool:
    return prediction is not None and _words(prediction) == _words(reference)


# ---- events in segments: AVE, AVVP ----


def segment_accuracy(prediction: Sequence[Event], reference: Sequence[Event]) -> float:
    """Share of the ten segments of one clip that are labelled right (Tian et al., ECCV 2018: AVE).

    A segment has the labels of the events in which its middle lies, and is background without any. The field's models
    choose exactly one label a segment while text may hold several: a segment is right if the set of its labels is the
    true one, so that naming more than there is does not pay. Modalities are not looked at. The score of a set is the
    mean over its clips, because all have ten segments.
    """
    labels = sorted({_words(event.label) for event in (*prediction, *reference)})
    one, other = (event_grid(events, labels).any(axis=0) for events in (prediction, reference))  # (labels, segments)
    return float(np.mean((one == other).all(axis=0)))


def event_grid(events: Sequence[Event], labels: Sequence[str]) -> np.ndarray:
    """What is heard and what is seen in each segment: (2, labels, 10) bool, audio first, an event of "both" in either.

    A segment belongs to the events in which its middle lies. Every event's label has to be one of `labels`.
    """
    rows = {_words(label): row for row, label in enumerate(labels)}
    grid = np.zeros((2, len(labels), SEGMENTS), bool)
    for event in events:
        for stream, modality in enumerate(("audio", "visual")):
            if event.modality in (modality, "both"):
                grid[stream, rows[_words(event.label)]] |= _covered(event)
    return grid


def _covered(event: Event) -> np.ndarray:
    middles = np.arange(SEGMENTS) + 0.5
    return (event.start <= middles) & (middles < event.end)


def parsing(predictions: Sequence[Sequence[Event] | None], references: Sequence[Sequence[Event]]) -> dict[str, float]:
    """Mean over videos of the ten scores of `parsing_of_one`, from the events of each.

    No list of classes is needed, because a class that occurs neither in the answer nor in the truth of a video does not
    count there. So a label that the dataset does not know is a class of its own, and wrong. None, an answer that could
    not be read, is 0 in all ten: it is not even right about what is not there.
    """
    scores = []
    for prediction, reference in zip(predictions, references, strict=True):
        labels = sorted({_words(event.label) for event in (*(prediction or ()), *reference)})
        score = parsing_of_one(event_grid(prediction or (), labels), event_grid(reference, labels))
        scores.append(dict.fromkeys(score, 0.0) if prediction is None else score)
    return {name: float(np.mean([score[name] for score in scores])) for name in scores[0]}


def parsing_of_one(prediction: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    """F-scores of audio-visual video parsing for one video (Tian et al., ECCV 2020: LLP), each (2, classes, 10) bool.

    `segment_audio`, `segment_visual` and `segment_av` (heard and seen at once) average the F-score of the classes that
    occur in the answer or in the truth, and are 1 where none does; `segment_type` (Type@AV) is the mean of the three;
    `segment_event` (Event@AV) counts audio and visual together, class by class. The same five by `event_` take a run of
    segments for one thing, found where a run of the other side has half of their union or more (IoU of 0.5) in common
    with it: hits and false alarms are counted among the predicted runs, misses among the true ones, and nothing keeps
    one run from finding several.
    """
    scores: dict[str, float] = {}
    for level, count in (("segment", _count_segments), ("event", _count_runs)):
        audio, visual = (count(*stream) for stream in zip(prediction, reference))  # (classes, 3)
        av = count(np.all(prediction, axis=0), np.all(reference, axis=0))
        by_stream = {"audio": _mean_f(audio), "visual": _mean_f(visual), "av": _mean_f(av)}
        by_stream |= {"type": float(np.mean(list(by_stream.values()))), "event": _mean_f(audio + visual)}
        scores |= {f"{level}_{name}": score for name, score in by_stream.items()}
    return scores


def _count_segments(prediction: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Hits, false alarms and misses of each class, (classes, 3)."""
    return np.stack([prediction & reference, prediction & ~reference, ~prediction & reference]).sum(axis=-1).T


def _count_runs(prediction: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Hits, false alarms and misses of each class, (classes, 3)."""
    counts = np.zeros((len(reference), 3), int)
    for row, (found, wanted) in enumerate(zip(map(_runs, prediction), map(_runs, reference))):
        hits = sum(_found(run, wanted) for run in found)
        counts[row] = hits, len(found) - hits, sum(not _found(run, found) for run in wanted)
    return counts


def _runs(segments: np.ndarray) -> list[Span]:
    edges = np.flatnonzero(np.diff(segments.astype(int), prepend=0, append=0))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def _found(run: Span, among: Sequence[Span]) -> bool:
    return any(temporal_iou([run], [other]) >= NEAR_ENOUGH for other in among)


def _mean_f(counts: np.ndarray) -> float:
    hits, false_alarms, misses = counts[counts.any(axis=1)].T
    return float(np.mean(2 * hits / (2 * hits + false_alarms + misses))) if hits.size else 1.0


# ---- events as stretches of time: UnAV ----


def detection_map(predictions: Sequence[Sequence[Event]], references: Sequence[Sequence[Event]]) -> dict[str, float]:
    """Mean average precision of events in untrimmed videos: `map_0.1` to `map_0.9` by temporal IoU, `map` their mean.

    As for UnAV-100 (Geng et al., CVPR 2023), whose measure is ActivityNet's: true events of one class at one place are
    one event, predictions of a class are ranked over all videos, each takes the nearest true event of its class and
    video that none before it has taken, the precision at a recall is the best one at that recall or above, and the mean
    runs over the classes that the truth has: a label of no such class costs only the event that it fails to find.
    Modalities are not looked at.

    The published code ranks by scores, and there are none in a text. So the first event of its class in every answer
    scores highest, then all the second ones. Which of equal scores comes first is left to NumPy's sort, as there: with
    another order of the videos, or on another processor, the same answers can score a little differently.
    """
    videos = [
        (_by_label(prediction), _by_label(_merged(reference)))
        for prediction, reference in zip(predictions, references, strict=True)
    ]
    classes = [
        [(prediction.get(label, []), reference.get(label, [])) for prediction, reference in videos]
        for label in sorted(set().union(*(reference for _, reference in videos)))
    ]
    means = np.mean([_average_precision(spans) for spans in classes], axis=0)  # (thresholds,)
    by_threshold = {f"map_{threshold:.1f}": float(mean) for threshold, mean in zip(TEMPORAL_IOUS, means)}
    return by_threshold | {"map": float(np.mean(means))}


def _merged(events: Sequence[Event]) -> list[Event]:
    """Without those that say again what one before them says."""
    kept: list[Event] = []
    for event in events:
        if not any(
            _words(event.label) == _words(other.label)
            and abs(event.start - other.start) <= SAME_TIME
            and abs(event.end - other.end) <= SAME_TIME
            for other in kept
        ):
            kept.append(event)
    return kept


def _by_label(events: Sequence[Event]) -> dict[str, list[Span]]:
    spans = defaultdict(list)
    for event in events:
        spans[_words(event.label)].append((event.start, event.end))
    return dict(spans)


def _average_precision(videos: Sequence[tuple[list[Span], list[Span]]]) -> np.ndarray:
    """(thresholds,) of one class, from the stretches predicted in each video, in written order, and the true ones."""
    scores = np.array([-rank for prediction, _ in videos for rank in range(len(prediction))], float)
    if not scores.size:
        return np.zeros(len(TEMPORAL_IOUS))
    hits = np.concatenate([_hits(*video) for video in videos if video[0]], axis=1)[:, _ranking(scores)].cumsum(axis=1)
    recall = hits / sum(len(reference) for _, reference in videos)
    precision = hits / np.arange(1, len(scores) + 1)
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    return np.sum(np.diff(recall, prepend=0, axis=1) * best, axis=1)


def _ranking(scores: np.ndarray) -> np.ndarray:
    return np.argsort(scores)[::-1]


def _hits(predictions: list[Span], references: list[Span]) -> np.ndarray:
    """Which predictions of one class in one video find something, at each threshold: (thresholds, predictions) bool."""
    hits = np.zeros((len(TEMPORAL_IOUS), len(predictions)), bool)
    left = np.ones((len(TEMPORAL_IOUS), len(references)), bool)
    for column, span in enumerate(predictions):
        ious = _span_ious(span, references)
        for other in np.argsort(ious)[::-1]:  # the nearest first
            free = left[:, other] & ~hits[:, column] & (ious[other] >= TEMPORAL_IOUS)
            hits[free, column], left[free, other] = True, False
    return hits


def _span_ious(span: Span, others: Sequence[Span]) -> np.ndarray:
    """IoU with each of the others, 1 where both last no time; rounded as the published code does."""
    starts, ends = np.array(others, float).reshape(-1, 2).T
    both = np.clip(np.minimum(span[1], ends) - np.maximum(span[0], starts), 0, None)
    either = (ends - starts) + (span[1] - span[0]) - both
    return np.divide(both, either, out=np.ones_like(both), where=either != 0)


# ---- boxes: ARIG ----


def grounding(predictions: Sequence[Corners | None], references: Sequence[Corners]) -> dict[str, float]:
    """`ciou`, the mean box IoU, and `auc`, the area under the share of boxes that reach an IoU, over that IoU.

    The area is taken by trapezoids with a corner every 0.05, as in sound source localisation (Senocak et al., CVPR
    2018), where the first point is always 1: without any box at all it is 0.025. None, no box, has an IoU of 0.
    """
    pairs = zip(predictions, references, strict=True)
    ious = np.array([box_iou(prediction, reference) if prediction else 0.0 for prediction, reference in pairs])
    success = [np.mean(ious >= iou) for iou in BOX_IOUS]
    return {"ciou": float(ious.mean()), "auc": float(np.trapezoid(success, BOX_IOUS))}


# ---- masks: S4, MS3, Ref-AVS ----


@dataclass(frozen=True)
class Overlap:
    """Pixels of one frame: all of the mask measures are made of these four."""

    both: int
    prediction: int | None  # None: the answer could not be read, and is wrong whatever is true
    reference: int
    frame: int


def overlap(prediction: np.ndarray | None, reference: np.ndarray) -> Overlap:
    """Of two (height, width) bool masks; None is an answer that could not be read, an empty mask is an answer."""
    both, shown = (0, None) if prediction is None else (int(np.sum(prediction & reference)), int(np.sum(prediction)))
    return Overlap(both, shown, int(np.sum(reference)), reference.size)


def segmentation(overlaps: Sequence[Overlap], *, clips: Sequence[str]) -> dict[str, float]:
    """J and F by two rules, which differ where the truth is empty and where answers are poor; `clips` names the clips.

    `j_avsbench`, `f_avsbench`: the published code of AVSBench (Zhou et al., ECCV 2022), which Ref-AVS takes over. Where
    the truth is empty, J is the share of the frame that is left empty, and F leaves the frame out. F is the best of 255
    thresholds over a clip, which for a mask is the better of two: the mask's mean F over the frames of the clip, or
    that of the whole frame. Both are means over clips; a clip where nothing is ever true has an F of 0.

    `j_released`, `f_released`: the released scripts of Crab+. Where both masks are empty, J is 1; an empty prediction
    has a precision of 1, an empty truth a recall of 1. Both are means over frames.

    F weighs precision more than recall, with a beta squared of 0.3. An answer that could not be read has 0 everywhere;
    the released scripts leave it out.
    """
    by_clip: dict[str, list[Overlap]] = defaultdict(list)
    for clip, one in zip(clips, overlaps, strict=True):
        by_clip[clip].append(one)
    return {
        "j_avsbench": float(np.mean([np.mean([_avsbench_j(one) for one in of]) for of in by_clip.values()])),
        "f_avsbench": float(np.mean([_avsbench_f(of) for of in by_clip.values()])),
        "j_released": float(np.mean([_released_j(one) for one in overlaps])),
        "f_released": float(np.mean([_released_f(one) for one in overlaps])),
    }


def jaccard(prediction: np.ndarray, reference: np.ndarray) -> float:
    """Pixels in both over pixels in either, of two (height, width) bool masks; 1.0 where both are empty."""
    return _released_j(overlap(prediction, reference))


def _avsbench_j(one: Overlap) -> float:
    if one.prediction is None:
        return 0.0
    return one.both / (one.prediction + one.reference - one.both) if one.reference else 1 - one.prediction / one.frame


def _avsbench_f(clip: Sequence[Overlap]) -> float:
    scores = [
        (_f(one.both / max(one.prediction, 1), one.both / one.reference), _f(one.reference / one.frame, 1.0))
        if one.prediction is not None else (0.0, 0.0)
        for one in clip if one.reference
    ]  # fmt: skip
    return float(np.max(np.mean(scores, axis=0))) if scores else 0.0


def _released_j(one: Overlap) -> float:
    if one.prediction is None:
        return 0.0
    either = one.prediction + one.reference - one.both
    return one.both / either if either else 1.0


def _released_f(one: Overlap) -> float:
    if one.prediction is None:
        return 0.0
    return _f(one.both / one.prediction if one.prediction else 1.0, one.both / one.reference if one.reference else 1.0)


def _f(precision: float, recall: float) -> float:
    weighted = BETA_SQUARED * precision + recall
    return (1 + BETA_SQUARED) * precision * recall / weighted if weighted else 0.0


def null_s(overlaps: Sequence[Overlap], *, clips: Sequence[str]) -> dict[str, float]:
    """How much is shown for expressions that nothing answers to, by two rules. Lower is better, nothing shown is 0.

    `s_ref_avs`: the published code of Ref-AVS (Wang et al., ECCV 2024), the square root of the share of a clip's frames
    that is shown, averaged over clips. There, four clips that happen to follow each other are taken as one.

    `s_released`: the released scripts of Crab+, the square root of what is shown over what is not, averaged over frames
    without the `infinite` ones, where all is shown; it is left out where all frames are.

    An answer that could not be read is taken for one that shows all, so that silence does not pay.
    """
    by_clip: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for clip, one in zip(clips, overlaps, strict=True):
        by_clip[clip].append((one.frame if one.prediction is None else one.prediction, one.frame))
    shares = [shown / frames for shown, frames in (np.sum(of, axis=0) for of in by_clip.values())]
    areas = [area for of in by_clip.values() for area in of]
    finite = [math.sqrt(shown / (frame - shown)) for shown, frame in areas if shown < frame]
    released = {"s_released": float(np.mean(finite))} if finite else {}
    return {"s_ref_avs": float(np.mean(np.sqrt(shares)))} | released | {"infinite": len(areas) - len(finite)}


# ---- captions ----


def cider(predictions: Sequence[str | None], references: Sequence[Sequence[str]]) -> float:
    """CIDEr-D of captions against one or more references each: 0 to 10, where papers print a hundred times as much.

    Vedantam, Zitnick and Parikh, CVPR 2015, with the clipping, the length penalty, the scale and the words of the COCO
    caption evaluation (`caption.tokens`): the cosine of the counts of one to four words in a row, weighted by how few
    clips' references have them. As rarity is measured on the references, one clip alone scores 0. None is an empty
    caption, and scores 0.
    """
    words = iter(tokens([text for texts in references for text in texts]))
    reference_words = [list(islice(words, len(texts))) for texts in references]
    clips_with = Counter(gram for texts in reference_words for gram in set().union(*map(_ngrams, texts)))
    # What no reference has counts as rare as what those of a single clip have.
    rarity: dict[Gram, float] = defaultdict(lambda: math.log(len(references)))
    rarity.update((gram, math.log(len(references) / clips)) for gram, clips in clips_with.items())
    prediction_words = tokens([text or "" for text in predictions])
    scores = [
        np.mean([_cider_of_one(prediction, words, rarity) for words in texts])
        for prediction, texts in zip(prediction_words, reference_words, strict=True)
    ]
    return float(np.mean(scores))


def _ngrams(words: list[str]) -> Counter[Gram]:
    return Counter(tuple(words[i : i + n]) for n in range(1, NGRAMS + 1) for i in range(len(words) - n + 1))


def _cider_of_one(prediction: list[str], reference: list[str], rarity: dict[Gram, float]) -> float:
    a: list[dict[Gram, float]] = [{} for _ in range(NGRAMS)]  # weight of every run of one word, of two, ...
    b: list[dict[Gram, float]] = [{} for _ in range(NGRAMS)]
    for weights, words in ((a, prediction), (b, reference)):
        for gram, count in _ngrams(words).items():
            weights[len(gram) - 1][gram] = count * rarity[gram]
    penalty = math.exp(-((len(prediction) - len(reference)) ** 2) / (2 * LENGTH_SIGMA**2))
    return 10 * penalty * float(np.mean([_clipped_cosine(*pair) for pair in zip(a, b)]))


def _clipped_cosine(prediction: dict[Gram, float], reference: dict[Gram, float]) -> float:
    # The smaller weight: nothing is earned by writing a word more often than the reference does.
    common = [gram for gram in prediction if gram in reference]
    both = sum(min(prediction[gram], reference[gram]) * reference[gram] for gram in common)
    norms = math.hypot(*prediction.values()) * math.hypot(*reference.values())
    return both / norms if norms else 0.0
