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
from itertools import zip_longest

import numpy as np

from crab.answer import Event

Span = tuple[float, float]  # start, end in seconds
Corners = tuple[float, float, float, float]  # x1, y1, x2, y2
Gram = tuple[str, ...]  # words in a row

SEGMENTS = 10  # of a clip of AVE or LLP, each a second long
NEAR_ENOUGH = 0.5  # IoU from which one event of LLP is taken for another
TEMPORAL_IOUS = tuple(step / 10 for step in range(1, 10))  # of UnAV-100: 0.1 to 0.9
BOX_IOUS = tuple(step / 20 for step in range(21))  # of ARIG: 0 to 1
BETA_SQUARED = 0.3  # of the F-score of masks: precision counts more than recall
NGRAMS = 4  # CIDEr looks at runs of one to four words
LENGTH_SIGMA = 6.0  # words: how wide CIDEr-D's penalty on a difference in length is


def temporal_iou(predicted: Sequence[Span], true: Sequence[Span]) -> float:
    """Seconds in both over seconds in either, each a set of stretches; 1.0 where both are empty."""
    edges = sorted({edge for span in (*predicted, *true) for edge in span})
    both = either = 0.0
    for start, end in zip(edges, edges[1:]):
        inside = [any(a <= start and end <= b for a, b in spans) for spans in (predicted, true)]
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

def accuracy(predicted: Sequence[str | None], true: Sequence[str]) -> float:
    """Share of the choices that are the true ones, word by word; None, no choice at all, is wrong."""
    return float(np.mean([_same(*pair) for pair in zip(predicted, true, strict=True)]))


def accuracy_by_type(predicted: Sequence[str | None], true: Sequence[str], *, types: Sequence[str]) -> dict[str, float]:
    """`accuracy` among the questions of each type, as MUSIC-AVQA tells it (Li et al., CVPR 2022)."""
    right = defaultdict(list)
    for said, meant, kind in zip(predicted, true, types, strict=True):
        right[kind].append(_same(said, meant))
    return {kind: float(np.mean(of)) for kind, of in sorted(right.items())}


def _same(said: str | None, meant: str) -> bool:
    return said is not None and _words(said) == _words(meant)


# ---- events in segments: AVE, AVVP ----

def segment_accuracy(predicted: Sequence[Event], true: Sequence[Event]) -> float:
    """Share of the ten segments of one clip that are labelled right (Tian et al., ECCV 2018: AVE).

    A segment has the labels of the events in which its middle lies, and is background without any. The field's models
    choose exactly one label a segment while text may hold several: a segment is right if the set of its labels is the
    true one, so that naming more than there is does not pay. Modalities are not looked at. The score of a set is the
    mean over its clips, because all have ten segments.
    """
    labels = sorted({_words(event.label) for event in (*predicted, *true)})
    said, meant = (event_grid(events, labels).any(axis=0) for events in (predicted, true))  # (labels, segments)
    return float(np.mean((said == meant).all(axis=0)))


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


def parsing(predicted: Sequence[Sequence[Event] | None], true: Sequence[Sequence[Event]]) -> dict[str, float]:
    """Mean over videos of the ten scores of `parsing_of_one`, from the events of each.

    No list of classes is needed, because a class that occurs neither in the answer nor in the truth of a video does not
    count there. So a label that the dataset does not know is a class of its own, and wrong. None, an answer that could
    not be read, is 0 in all ten: it is not even right about what is not there.
    """
    scores = []
    for said, meant in zip(predicted, true, strict=True):
        labels = sorted({_words(event.label) for event in (*(said or ()), *meant)})
        score = parsing_of_one(event_grid(said or (), labels), event_grid(meant, labels))
        scores.append(dict.fromkeys(score, 0.0) if said is None else score)
    return {name: float(np.mean([score[name] for score in scores])) for name in scores[0]}


def parsing_of_one(predicted: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """F-scores of audio-visual video parsing for one video (Tian et al., ECCV 2020: LLP), each (2, classes, 10) bool.

    `segment_audio`, `segment_visual` and `segment_av` (heard and seen at once) average the F-score of the classes that
    occur in the answer or in the truth, and are 1 where none does; `segment_type` (Type@AV) is the mean of the three;
    `segment_event` (Event@AV) counts audio and visual together, class by class. The same five by `event_` take a run of
    segments for one thing, found where a run of the other side has half of their union or more (IoU of 0.5) in common
    with it: hits and false alarms are counted among the predicted runs, misses among the true ones, and nothing keeps
    one run from finding several.
    """
    scores = {}
    for level, count in (("segment", _count_segments), ("event", _count_runs)):
        audio, visual = (count(said, meant) for said, meant in zip(predicted, true))  # (classes, 3)
        av = count(predicted.all(axis=0), true.all(axis=0))
        by_stream = {"audio": _mean_f(audio), "visual": _mean_f(visual), "av": _mean_f(av)}
        by_stream |= {"type": float(np.mean(list(by_stream.values()))), "event": _mean_f(audio + visual)}
        scores |= {f"{level}_{name}": score for name, score in by_stream.items()}
    return scores


def _count_segments(predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Hits, false alarms and misses of each class, (classes, 3)."""
    return np.stack([predicted & true, predicted & ~true, ~predicted & true]).sum(axis=-1).T


def _count_runs(predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Hits, false alarms and misses of each class, (classes, 3)."""
    counts = np.zeros((len(true), 3), int)
    for row, (said, meant) in enumerate(zip(map(_runs, predicted), map(_runs, true))):
        hits = sum(_found(run, meant) for run in said)
        counts[row] = hits, len(said) - hits, sum(not _found(run, said) for run in meant)
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

def detection_map(predicted: Sequence[Sequence[Event]], true: Sequence[Sequence[Event]]) -> dict[str, float]:
    """Mean average precision of events in untrimmed videos: `map_0.1` to `map_0.9` by temporal IoU, `map` their mean.

    As for UnAV-100 (Geng et al., CVPR 2023), whose measure is ActivityNet's: predictions of a class are ranked over all
    videos, each takes the nearest true event of its class and video that none before it has taken, the precision at a
    recall is the best one at that recall or above, and the mean runs over the classes that the truth has: a label of no
    such class costs only the event that it fails to find. There are no scores in a text. So the first event of its
    class in every answer ranks first, then all the second ones, and what shares a rank is counted in one step: the
    order of the videos does not matter. Modalities are not looked at.
    """
    videos = [(_by_label(said), _by_label(meant)) for said, meant in zip(predicted, true, strict=True)]
    classes = [
        [(said.get(label, []), meant.get(label, [])) for said, meant in videos]
        for label in sorted(set().union(*(meant for _, meant in videos)))
    ]
    scores = {
        f"map_{threshold}": float(np.mean([_average_precision(spans, threshold) for spans in classes]))
        for threshold in TEMPORAL_IOUS
    }
    return scores | {"map": float(np.mean(list(scores.values())))}


def _by_label(events: Sequence[Event]) -> dict[str, list[Span]]:
    spans = defaultdict(list)
    for event in events:
        spans[_words(event.label)].append((event.start, event.end))
    return dict(spans)


def _average_precision(videos: Sequence[tuple[list[Span], list[Span]]], threshold: float) -> float:
    """Of one class, each video with the stretches predicted, in written order, and the true ones."""
    ranks = list(zip_longest(*(_hits(said, meant, threshold) for said, meant in videos)))  # None: wrote no more
    hits = np.cumsum([sum(filter(None, rank)) for rank in ranks])
    made = np.cumsum([sum(hit is not None for hit in rank) for rank in ranks])
    recall = hits / sum(len(meant) for _, meant in videos)
    precision = np.maximum.accumulate((hits / made)[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0) * precision))


def _hits(predicted: list[Span], true: list[Span], threshold: float) -> list[bool]:
    left, hits = list(true), []
    for span in predicted:
        nearest = max(left, key=lambda other: temporal_iou([span], [other]), default=None)
        hits.append(nearest is not None and temporal_iou([span], [nearest]) >= threshold)
        if hits[-1]:
            left.remove(nearest)
    return hits


# ---- boxes: ARIG ----

def grounding(predicted: Sequence[Corners | None], true: Sequence[Corners]) -> dict[str, float]:
    """`ciou`, the mean box IoU, and `auc`, the area under the share of boxes that reach an IoU, over that IoU.

    The area is taken by trapezoids with a corner every 0.05, as in sound source localisation (Senocak et al., CVPR
    2018), where the first point is always 1: without any box at all it is 0.025. None, no box, has an IoU of 0.
    """
    ious = np.array([box_iou(said, meant) if said else 0.0 for said, meant in zip(predicted, true, strict=True)])
    success = [np.mean(ious >= iou) for iou in BOX_IOUS]
    return {"ciou": float(ious.mean()), "auc": float(np.trapezoid(success, BOX_IOUS))}


# ---- masks: S4, MS3, Ref-AVS ----

def segmentation(predicted: Sequence[np.ndarray | None], true: Sequence[np.ndarray]) -> dict[str, float]:
    """Means of `jaccard` and of `mask_f` as `j` and `f`, over (height, width) bool masks; None is an empty mask."""
    pairs = [(np.zeros_like(b) if a is None else a, b) for a, b in zip(predicted, true, strict=True)]
    return {name: float(np.mean([score(*pair) for pair in pairs])) for name, score in (("j", jaccard), ("f", mask_f))}


def jaccard(predicted: np.ndarray, true: np.ndarray) -> float:
    """Pixels in both over pixels in either, of two (height, width) bool masks; 1.0 where both are empty.

    The J of AVSBench (Zhou et al., ECCV 2022).
    """
    either = np.sum(predicted | true)
    return float(np.sum(predicted & true) / either) if either else 1.0


def mask_f(predicted: np.ndarray, true: np.ndarray) -> float:
    """F-score of two (height, width) bool masks with beta squared 0.3, the F of AVSBench (Zhou et al., ECCV 2022).

    An empty prediction has a precision of 1, an empty truth a recall of 1, as the released Crab+ counts.
    """
    both, said, meant = np.sum(predicted & true), np.sum(predicted), np.sum(true)
    precision = both / said if said else 1.0
    recall = both / meant if meant else 1.0
    if not precision + recall:
        return 0.0
    return float((1 + BETA_SQUARED) * precision * recall / (BETA_SQUARED * precision + recall))


def null_s(predicted: Sequence[np.ndarray | None]) -> dict[str, float]:
    """How much is shown for expressions that nothing answers to: `s`, and how many were `infinite`. Lower is better.

    The S of Ref-AVS (Wang et al., ECCV 2024): the mean of the square root of mask area over background area, of
    (height, width) bool masks, without those that cover the whole frame, where it is infinite; there is no `s` where
    all of them do. None is an empty mask here too, and an empty mask is what is asked for: whether an answer said so,
    or said nothing, only `accuracy` tells.
    """
    areas = [(0, 1) if mask is None else (np.sum(mask), np.sum(~mask)) for mask in predicted]  # pixels
    finite = [math.sqrt(area / rest) for area, rest in areas if rest]
    return ({"s": float(np.mean(finite))} if finite else {}) | {"infinite": len(areas) - len(finite)}


# ---- captions ----

def cider(predicted: Sequence[str | None], references: Sequence[Sequence[str]]) -> float:
    """CIDEr-D of captions against one or more references each: 0 to 10, where papers print a hundred times as much.

    Vedantam, Zitnick and Parikh, CVPR 2015, with the clipping, the length penalty and the scale of the COCO caption
    evaluation: the cosine of the counts of one to four words in a row, weighted by how few clips' references have them.
    As rarity is measured on the references, one clip alone scores 0. Words are lower-case runs of letters and digits,
    joined by hyphens, without punctuation: near the Penn Treebank tokens of the original, which needs Java, but not in
    each contraction and number the same. None is an empty caption, and scores 0.
    """
    meant = [[_caption_words(text) for text in texts] for texts in references]
    clips_with = Counter(gram for texts in meant for gram in set().union(*map(_ngrams, texts)))
    # What no reference has counts as rare as what those of a single clip have.
    rarity = defaultdict(lambda: math.log(len(meant)))
    rarity.update((gram, math.log(len(meant) / clips)) for gram, clips in clips_with.items())
    scores = []
    for text, texts in zip(predicted, meant, strict=True):
        said = _caption_words(text or "")
        scores.append(np.mean([_cider_of_one(said, words, rarity) for words in texts]))
    return float(np.mean(scores))


def _caption_words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+(?:-[^\W_]+)*", text.lower())


def _ngrams(words: list[str]) -> Counter[Gram]:
    return Counter(tuple(words[i:i + n]) for n in range(1, NGRAMS + 1) for i in range(len(words) - n + 1))


def _cider_of_one(said: list[str], meant: list[str], rarity: dict[Gram, float]) -> float:
    a, b = ([{} for _ in range(NGRAMS)] for _ in range(2))  # weight of every run of one word, of two, ...
    for weights, words in ((a, said), (b, meant)):
        for gram, count in _ngrams(words).items():
            weights[len(gram) - 1][gram] = count * rarity[gram]
    penalty = math.exp(-((len(said) - len(meant)) ** 2) / (2 * LENGTH_SIGMA**2))
    return 10 * penalty * float(np.mean([_clipped_cosine(*pair) for pair in zip(a, b)]))


def _clipped_cosine(said: dict[Gram, float], meant: dict[Gram, float]) -> float:
    # The smaller weight: nothing is earned by writing a word more often than the reference does.
    both = sum(min(weight, meant[gram]) * meant[gram] for gram, weight in said.items() if gram in meant)
    norms = math.hypot(*said.values()) * math.hypot(*meant.values())
    return both / norms if norms else 0.0
