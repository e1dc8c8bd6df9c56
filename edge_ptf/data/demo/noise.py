"""Makes the demo corpus less tidy, as people and speech recognizers do: politeness, fillers, errors, typos.

Every function takes and returns words as (word, tag) pairs, so that each BIO tag stays with its word.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

Word = tuple[str, str]
OUTSIDE = "O"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


COMMAND_VERBS = _words(
    """turn switch put set dim lower change reduce make give bring heat cool keep start add cancel stop delete
    remove end clear forget kill check show tell wake play listen shuffle raise increase open close pull move
    shut draw roll lock bolt secure send run have vacuum clean let hoover begin schedule create book plan save
    buy include call phone dial ring place try text message write answer reply watch tune display view preheat
    bake power cut activate enable pause undo illuminate light soften fade take tint paint warm beep buzz
    ping measure scrap drop abort get stream throw fill crank pump boost adjust cover tilt sweep deadbolt block
    pencil mark jot stick connect shoot pass inform flip zap jump pull spin unplug energize prepare do explain
    transfer pay freeze order print read translate teach rent find return track divide convert count pick
    spell feed water sing"""
)
QUESTION_WORDS = _words("""what what's how how's who when where why which is are will do does did can should""")

BEFORE_COMMAND = (
    "please", "could you", "can you", "would you", "could you please", "can you please", "would you please",
    "i'd like you to", "i want you to", "go ahead and", "you should", "quickly", "just", "now", "hey can you",
    "ok please", "i need you to",
)  # fmt: skip
BEFORE_QUESTION = (
    "hey",
    "hi",
    "tell me",
    "so",
    "ok",
    "quick question",
    "do you know",
    "please tell me",
    "i wonder",
    "and",
)
BEFORE_ANY = ("hey", "ok", "hi there", "alright", "so", "listen", "well", "excuse me", "computer", "hello", "and")
AFTER_ANY = (
    "please",
    "thanks",
    "thank you",
    "for me",
    "now",
    "right now",
    "will you",
    "ok",
    "would you",
    "when you can",
)
FILLERS = ("uh", "um", "er", "hmm", "like", "you know", "well", "let's see", "i mean", "ah")

HOMOPHONES = {
    "for": "four", "four": "for", "to": "two", "two": "to", "eight": "ate", "by": "buy", "buy": "by", "hour": "our",
    "one": "won", "red": "read", "blue": "blew", "weather": "whether", "see": "sea", "light": "lite",
    "lights": "lies", "right": "write", "there": "their", "know": "no", "ring": "wring", "our": "hour",
    "time": "thyme", "fan": "van", "play": "clay", "oven": "often", "timer": "time", "dim": "dime", "blinds": "blind",
    "lock": "look", "call": "col", "plug": "plugs", "scene": "seen", "room": "rum", "off": "of", "text": "tax",
    "milk": "mill", "ten": "tan", "set": "sat", "turn": "term", "volume": "volumes", "door": "door's",
    "louder": "ladder", "alarm": "a lamb", "vacuum": "vacume", "heat": "heed", "week": "weak", "bread": "bred",
    "mode": "mowed", "wait": "weight",
}  # fmt: skip
SPLITS = {
    "thermostat": "thermo stat", "bedroom": "bed room", "bathroom": "bath room", "hallway": "hall way",
    "playlist": "play list", "driveway": "drive way", "tonight": "to night", "basement": "base mint",
    "tomorrow": "to morrow", "weekend": "week end", "channel": "chan nel", "battery": "bat tery",
    "ceiling": "see ling", "calendar": "cal ender", "curtains": "cur tins", "message": "mess age",
    "shutters": "shut hers", "nursery": "nurse ery", "birthday": "birth day", "kitchen": "kit chen",
    "temperature": "temper chair", "camera": "cam era", "preheat": "pre heat", "upstairs": "up stairs",
    "garage": "gar age", "office": "off is", "brightness": "bright nest",
}  # fmt: skip
DROPPABLE = _words("the a an to for in of at my me is it some i do")
DOUBLED = _words("the a to for in my i on it at set turn is and")


def polite(words: Sequence[Word], rng: random.Random) -> list[Word]:
    """Adds politeness to a third of the texts, in a form that fits a command, a question or another text."""
    result = list(words)
    first = result[0][0]
    if rng.random() < 0.38:
        before: tuple[str, ...]
        if first in COMMAND_VERBS:
            before = BEFORE_COMMAND if rng.random() < 0.8 else BEFORE_ANY
        elif first in QUESTION_WORDS:
            before = BEFORE_QUESTION
        else:
            before = BEFORE_ANY
        result = _outside(rng.choice(before)) + result
    if rng.random() < 0.2:
        result += _outside(rng.choice(AFTER_ANY))
    return result


def hesitant(words: Sequence[Word], rng: random.Random) -> list[Word]:
    """Adds a filler to about one text in seven, never inside a slot value."""
    result = list(words)
    if rng.random() < 0.15:
        gaps = [at for at, (_, tag) in enumerate(result) if not tag.startswith("I-")]
        at = rng.choice(gaps)
        result[at:at] = _outside(rng.choice(FILLERS))
    return result


def misheard(words: Sequence[Word], rng: random.Random) -> list[Word]:
    """Makes one recognition error (homophone, split word, lost or doubled short word) in about one text in six."""
    if rng.random() >= 0.17:
        return list(words)
    errors = [_homophone, _split, _lost, _doubled]
    rng.shuffle(errors)
    for error in errors:
        changed = error(words, rng)
        if changed is not None:
            return changed
    return list(words)


def mistyped(words: Sequence[Word], rng: random.Random) -> list[Word]:
    """Swaps, drops or doubles a letter of one word of four or more letters in about one text in twelve."""
    result = list(words)
    if rng.random() >= 0.085:
        return result
    places = [at for at, (word, _) in enumerate(words) if len(word) >= 4 and word.isalpha()]
    if not places:
        return result
    at = rng.choice(places)
    word, tag = result[at]
    letter = rng.randrange(1, len(word) - 1)
    kind = rng.randrange(3)
    if kind == 0:
        word = word[:letter] + word[letter + 1] + word[letter] + word[letter + 2 :]
    elif kind == 1:
        word = word[:letter] + word[letter + 1 :]
    else:
        word = word[: letter + 1] + word[letter:]
    result[at] = (word, tag)
    return result


def _outside(phrase: str) -> list[Word]:
    return [(word, OUTSIDE) for word in phrase.split()]


def _spread(replacement: str, tag: str) -> list[Word]:
    """Tags for a word that became several words: the first keeps its tag, the others continue the slot."""
    inside = OUTSIDE if tag == OUTSIDE else "I-" + tag[2:]
    return [(word, tag if at == 0 else inside) for at, word in enumerate(replacement.split())]


def _replaced(words: Sequence[Word], table: dict[str, str], rng: random.Random) -> list[Word] | None:
    places = [at for at, (word, _) in enumerate(words) if word in table]
    if not places:
        return None
    at = rng.choice(places)
    word, tag = words[at]
    return [*words[:at], *_spread(table[word], tag), *words[at + 1 :]]


def _homophone(words: Sequence[Word], rng: random.Random) -> list[Word] | None:
    return _replaced(words, HOMOPHONES, rng)


def _split(words: Sequence[Word], rng: random.Random) -> list[Word] | None:
    return _replaced(words, SPLITS, rng)


def _lost(words: Sequence[Word], rng: random.Random) -> list[Word] | None:
    places = [at for at, word in enumerate(words) if word[1] == OUTSIDE and word[0] in DROPPABLE]
    if not places or len(words) < 3:
        return None
    at = rng.choice(places)
    return [*words[:at], *words[at + 1 :]]


def _doubled(words: Sequence[Word], rng: random.Random) -> list[Word] | None:
    places = [at for at, word in enumerate(words) if word[1] == OUTSIDE and word[0] in DOUBLED]
    if not places:
        return None
    at = rng.choice(places)
    return [*words[: at + 1], *words[at:]]
