"""A short text to the language it is written in: French or English."""

import re
import unicodedata
from typing import Literal

from podium.text.folding import fold_text

Language = Literal["fr", "en"]

MAX_EVIDENCE = 4_000  # characters looked at; the language of a text does not change after that


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FRENCH_WORDS = _words(
    """
    achete acheter affiche afficher ai ajoute ajouter alors apres au aucun aujourd'hui aussi autre
    autres aux avant avec bonjour bonsoir ca calcule ce ceci cela celle celui ces cet cette cherche
    chercher chez combien comme comment convertir convertis cree creer dans de demain depuis
    dernier derniere dernieres derniers des dis dit donne donner dossier du elle elles en encore
    entre envoie envoyer es est et ete etre faire fais fait faut fichier fichiers heure heures hier
    ici il ils je jour jours la le les leur leurs lire lis liste lister lui ma maintenant mais meme
    memoire mes meteo mets mettre moi moins mon montre montrer ne nos notre nous on ont ou
    oublie ouvre ouvrir par parmi pas peut peux plait plus pour pourquoi pouvez premier premiere
    puis quand que quel quelle quelles quels qui quoi rappelle rechercher renomme resume resumer sa
    sans se semaine ses si sont sous souviens supprime supprimer sur ta te tes toi ton tous tout
    toute toutes traduis trouve trouver tu un une va vers veut veux voici voir vos votre voudrais
    vous y
    """
)
ENGLISH_WORDS = _words(
    """
    a about add after all also am an and any are at be been before but buy by calculate can changed
    could create did do does don't every file files find folder for forget from get give had
    has have hello help her here hey him his hour how i if in into is it its know last latest less
    let like made make many me mean meeting memory more most move my need new next no not now
    of off old only open or other our out over please put read recall remember remind remove rename
    run said say search send set she should show since some summarise summarize take tell than
    thanks that the their them then there these they thing this those time to today tomorrow tonight
    translate turn under until up us want was we weather week were what what's when where which who
    why will with would write yesterday you your
    """
)
_SAYS_FRENCH = (FRENCH_WORDS - ENGLISH_WORDS).__contains__
_SAYS_ENGLISH = (ENGLISH_WORDS - FRENCH_WORDS).__contains__
_FRENCH_LETTERS = re.compile("[àâçèéêëîïôœùûÿÀÂÇÈÉÊËÎÏÔŒÙÛŸ]")
_FRENCH_ELISIONS = re.compile(r"\b(?:[cdjlmnst]|qu|jusqu|lorsqu|puisqu)'(?=\w\w)")
_ENGLISH_CONTRACTIONS = re.compile(r"\w(?:'s|n't|'re|'ll|'ve|'m|'d)\b")
_WORD = re.compile(r"\w+(?:'\w+)?")


def guess_language(text: str, otherwise: Language = "en", *, folded: str | None = None) -> Language:
    """Return the language that more words and letters speak for; `otherwise` when none does.

    `folded` is what `fold_text` makes of the text, if that is known already.
    """
    sample = text[:MAX_EVIDENCE]
    if folded is None or len(text) > MAX_EVIDENCE:
        folded = fold_text(sample)
    words = _WORD.findall(folded)
    french = english = 0
    if "'" in folded:
        french = len(_FRENCH_ELISIONS.findall(folded))
        english = len(_ENGLISH_CONTRACTIONS.findall(folded))
        words = [piece for word in words for piece in {word, *word.split("'")}]
    french += sum(map(_SAYS_FRENCH, words))
    english += sum(map(_SAYS_ENGLISH, words))
    if not sample.isascii():
        french += _french_letters(sample)
    if french == english:
        return otherwise
    return "fr" if french > english else "en"


def _french_letters(sample: str) -> int:
    return len(_FRENCH_LETTERS.findall(unicodedata.normalize("NFC", sample)))
