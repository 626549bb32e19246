"""Kinds of violence read from a source's own words, where it has no code for them.

English words only, as whole words. What is not told in so many words is not read: a caller falls back on what the
source codes. The words lie on the careful side, because a kind decides which reports may be one incident, and a
severe one breaks a truce-day alone.
"""

from __future__ import annotations

import re

_AIRSTRIKE = re.compile(
    r"\bair ?-?st?r?ikes?\b|\bair ?-?raids?\b|\braids?\b|\bwar ?planes?\b|\bfighter jets?\b|\bhelicopters?\b"
    r"|\baviation\b|\baircrafts?\b|\bair force\b|\baerial(?:ly)? (?:bomb|shell|target|attack)\w*"
    r"|\bbarrel bombs?\b|\bexplosive barrels?\b",
    re.IGNORECASE,
)
_SHELLING = re.compile(
    r"\bshell(?:s|ed|ing)?\b|\bartillery\b|\bmortars?\b|\bhowitzers?\b|\brockets?\b|\bmissiles?\b", re.IGNORECASE
)
_EXPLOSIVE = re.compile(
    r"\bcar ?bombs?\b|\bbomb(?:s|ed|ing|ings|ardment)?\b|\bexplosions?\b|\bdetonat\w+|\bIEDs?\b"
    r"|\bcluster (?:bombs?|munitions?)\b|\bthermobaric\b|\bincendiary\b|\bphosphor\w*|\bnapalm\b|\bthermite\b",
    re.IGNORECASE,
)
_FIGHTING = re.compile(
    r"\bclash\w*|\bbattles?\b|\bfighting\b|\bambush\w*|\badvanc\w+|\bsnip\w+|\bgunfire\b|\bshoot\w*|\bshot\b"
    r"|\bexecut\w+|\bassassinat\w+|\bstorm\w*|\bcontrol\w*|\boffensive\b",
    re.IGNORECASE,
)
_CLASH = re.compile(r"\bclash\w*|\bbattles?\b|\bfighting\b", re.IGNORECASE)
_SMALL_ARMS = re.compile(r"\bsnip\w+|\bgunfire\b|\bgunshots?\b|\bwere shot\b|\bwas shot\b", re.IGNORECASE)
_CHEMICAL = re.compile(
    r"\bchlorine\b|\bsarin\b|\bmustard gas\b"
    r"|\b(?:poison(?:ous)?|toxic) gas\b|\bchemical (?:gas|attack|weapons?|bombs?)",
    re.IGNORECASE,
)
_STRUCK = re.compile(
    r"\battack(?:s|ed)?\b|\btarget(?:s|ed|ing|eting)?\b|\bmassacres?\b|\bcasualt\w+|\bmartyrs?\b|\bvictims?\b"
    r"|\bdestruction\b|\bdestroy\w*|\bdevastation\b|\bdamages?\b|\brubbles?\b",
    re.IGNORECASE,
)
#: Aircraft that are seen. Where the text tells of a strike as well, they are not all of it.
_OVERFLIGHT = re.compile(
    r"\bin the (?:sk(?:y|ies)|air ?space)\b|\bhover(?:s|ed|ing)?\b|\boverflights?\b|\bfly over\b|\bflying in\b",
    re.IGNORECASE,
)
_RAID = re.compile(r"\bair ?-?st?r?ikes?\b|\braids?\b|\bbomb\w*|\bshell\w*", re.IGNORECASE)
#: What comes after an attack, or is none: the words of the attack may stand beside these, its day does not.
_NO_ATTACK = re.compile(
    r"\btestimon\w+|\btestif\w+|\bwitness\w*|\binterview\w*|\bsymptoms?\b|\bremnants?\b|\bdisposal\b"
    r"|\bfailed to explode\b|\bdemonstrat\w+|\bprotest\w*|\bfunerals?\b|\bopinions?\b|\bmigrat\w+"
    r"|\bflying over\b|\bflares?\b|\bsurvivors?\b|\bbeing treated\b|\bwere treated\b|\bafter suffering\b|\bidentity\b",
    re.IGNORECASE,
)


def bombardment_told_of(headlines: str) -> str | None:
    """Return ``airstrike``, ``shelling`` or ``explosive`` when the headlines tell of one of these and of no fighting.

    Several headlines count as one text. Aircraft and guns in one text leave open which it was: None.
    """
    if _FIGHTING.search(headlines):
        return None
    from_the_air, from_the_ground = _AIRSTRIKE.search(headlines), _SHELLING.search(headlines)
    if from_the_air and from_the_ground:
        return None
    if from_the_air:
        return "airstrike"
    if from_the_ground:
        return "shelling"
    return "explosive" if _EXPLOSIVE.search(headlines) else None


def is_aftermath(text: str) -> bool:
    """Whether a text tells of what follows an attack, or of something that is none, rather than of an attack."""
    if _NO_ATTACK.search(text):
        return True
    attacks = (_STRUCK, _RAID, _SHELLING, _EXPLOSIVE, _CLASH, _SMALL_ARMS, _CHEMICAL)
    return bool(_OVERFLIGHT.search(text)) and not any(words.search(text) for words in attacks)


def tells_of_chemicals(text: str) -> bool:
    """Whether a text names a chemical weapon."""
    return _CHEMICAL.search(text) is not None


def kind_told(text: str) -> str | None:
    """Return the kind a text about one event tells of, None when it does not say.

    Aircraft come before guns: translations call what falls from aircraft shells and missiles, hardly ever the reverse.
    """
    kinds = {
        "airstrike": _AIRSTRIKE,
        "shelling": _SHELLING,
        "explosive": _EXPLOSIVE,
        "small_arms": _SMALL_ARMS,
        "armed_clash": _CLASH,
    }
    return next((kind for kind, words in kinds.items() if words.search(text)), None)


def tells_of_a_strike(text: str) -> bool:
    """Whether a text tells that something was struck or what that left, of whatever manner."""
    return _STRUCK.search(text) is not None
