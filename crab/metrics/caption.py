"""Captions cut into the words that CIDEr compares.

The COCO caption evaluation cuts them as the Penn Treebank does (a Java program, PTBTokenizer, does it there) and strikes
out punctuation. So do we, with rules of our own for what captions are made of: contractions come apart, numbers and
compounds stay whole, a full stop belongs to an abbreviation or is struck out, brackets stay as words. At each place the
rule wins that reaches furthest. What nobody says aloud (emoji, markup) may come out otherwise than there.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_MARKS = "".join(chr(code) for code in range(0x300, 0x10000) if unicodedata.category(chr(code)).startswith("M"))
_LETTER = rf"(?:[^\W\d_]|[{_MARKS}])"  # with accents and vowel signs that are characters of their own
_SIGN = rf"(?:[^\W_]|[{_MARKS}])"
_WORD = rf"{_LETTER}{_SIGN}*"
_NOT = rf"(?i:n't)(?!{_LETTER})"
_VERB = rf"(?i:'(?:s|m|d|re|ve|ll))(?!{_LETTER})"

# A full stop stays with these: titles, months, days, states, firms, and what is short for something longer.
_SHORT = (
    "adj|adm|adv|ala|apr|ariz|assn|asst|attys?|aug|ave|bldg|blvd|brig|bros?|calif|capt|cf|col|colo|conn|corp|cos?|cpl|dec|"
    "del|dept|det|dist|drs?|ens|esq|est|etc|ext|feb|fla|fri|ft|gen|govs?|hon|ill|inc|insp|jan|jr|jul|jun|kans?|ky|lieut|lt|"
    "ltd|maj|mar|mass|messrs|mich|minn|miss|mont|mrs?|ms|mt|nev|nov|oct|okla|ore|penn|plc|pres|profs?|pvt|rd|reps?|rev|"
    "sens?|sept?|sgt|sq|sr|ste?|supts?|tenn|tex|thurs?|treas|tues?|univ|va|vs|vt|wash|wed|wis|wyo"
)
_BEFORE_NUMBERS = "art|bldg|ca|figs?|nos?|op|pp"  # "no. 5", but "no"
# A letter with a full stop is an abbreviation ("plan B."), unless a sentence begins behind it.
_BEGINNINGS = (
    r"A|About|After|An|As|At|But|He|Her|Here|However|If|In|It|Last|Many|More|Mr\.|Ms\.|Now|Once|One|Other|Our|She|Since|So|"
    "Some|Such|That|The|Their|Then|There|These|They|This|We|When|While|Yet|You"
)
_RULES = (  # what is taken is the group, where there is one, and what stands behind it has to follow
    r"(?i:(can)not|(gon|wan)na|(got)ta|(lem|gim)me|('t)(?:is|was))",
    rf"({_LETTER}+?){_NOT}",  # do|n't
    _NOT,
    _VERB,  # dog|'s
    rf"{_WORD}(?:[.!?]{_WORD})*",
    rf"({_SIGN}+(?:[.!?-]{_SIGN}+)*\.|[A-Za-z\d][A-Za-z\d.,]*(?:-[A-Za-z\d]+)+\.)[,;:]",  # approx.,
    rf"(?i:[djlo]'){_WORD}",  # o'clock
    r"(?i:ma'am|ol'|'em|'til|'cause|'n'?)",
    rf"(?i:(y')){_LETTER}",  # y'|all
    r"'\d0s|'\d\d(?=\s)",
    rf"{_SIGN}+(?:-{_SIGN}+)+|\d+{_WORD}",  # black-and-white, 21st
    r"[A-Za-z\d][A-Za-z\d.,]*(?:-[A-Za-z\d]+)+",  # 3,000-dollar
    r"[-+]?(?:\d*(?:[.:,]\d+)+|\d+)|\(\d{2,3}\) ?\d{3,4}-\d{3,5}",  # and telephone numbers
    r"\d{1,2}[-/]\d{1,2}[-/]\d{2,4}|\d{1,4}/\d{1,4}",
    r"[A-Za-z\d]+(?:-[A-Za-z]+)*/[A-Za-z\d]+(?:-[A-Za-z]+)*",  # and/or
    rf"(?i:(?:{_SHORT})\.|(?:{_BEFORE_NUMBERS})\.(?=\s?\d)|ph\.d\.)",
    rf"[A-Za-z](?:\.[A-Za-z])+\.?|[A-Za-z]\.(?!{_SIGN}|\s+(?:{_BEGINNINGS})\s)",  # U.S., plan B.
    r"[A-Z]+(?:&[A-Z]+)+|(?i:c\+\+|[cf]#)",
    r"(?i:https?://|www\.)[^\s\"<>(){}]*[^\s\"<>(){}.,!?-]|[A-Za-z\d][\w.+-]*@[\w-]+(?:\.[\w-]+)+|[@#][A-Za-z_]\w*",
    r"[A-Z]*\$|[%&~^|\\+=/<>°§©®×÷•€£¢¥½¼¾⅓⅔()\[\]{}]|[?!]{2,}|@+|#+|_+|\*+|-{5,}",
    r"[:;=]-?[()DPp](?![A-Za-z\d])",
)
_TAKEN = [re.compile(rule) for rule in _RULES]
_WRITTEN = str.maketrans({
    "(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-", "€": "$", "£": "#", "¢": "cents",
    "½": "1/2", "¼": "1/4", "¾": "3/4", "⅓": "1/3", "⅔": "2/3",
})  # fmt: skip
_TYPED = str.maketrans({"’": "'", "‘": "'", "\u00ad": ""})  # apostrophes of every make; where a line may break


def tokens(captions: Sequence[str]) -> list[list[str]]:
    """The words of each caption, lower-case, without punctuation.

    The captions are read as one text, a line each, as in the evaluation: whether "B." at the end of one is an
    abbreviation depends on the first word of the next.
    """
    text = "\n".join(" ".join(caption.split()) for caption in captions).translate(_TYPED)
    words: list[list[str]] = [[] for _ in captions]
    line = place = 0
    while place < len(text):
        if text[place] == "\n":
            line += 1
        found = max((match for rule in _TAKEN if (match := rule.match(text, place))), key=re.Match.end, default=None)
        if found:
            taken = found[found.lastindex or 0]
            words[line] += taken.translate(_WRITTEN).lower().split()
        place += len(taken) if found else 1  # what no rule takes is punctuation, or nothing that is said
    return words
