"""A request to what it wants done: read, delete, send, ... by the verbs of both languages.

A request to delete must never be taken for one that reads, however many words they share. Verbs
that are nothing but verbs count wherever they stand; words that are nouns as well (`note`, `list`,
`mail`) only where a clause begins, which is where both languages put what is to be done.
"""

from collections.abc import Mapping
from itertools import pairwise

from podium.text.tokens import all_words

_ANYWHERE: Mapping[str, str] = {
    "show": """
        show display give get tell see view fetch retrieve know knows output affiche afficher
        affichez montre montrer montrez donne donner donnez dis dire dites voir vois voyez fais-voir
        connaitre savoir sais savez regarder raconte raconter racontez
    """,
    "read": "read lis lire lisez relis relire parcourir",
    "open": "open ouvre ouvrir ouvrez",
    "list": "enumerate lister enumere enumerer recense recenser",
    "search": """
        find locate seek cherche chercher cherchez recherche rechercher trouve trouver trouvez
        retrouve retrouver fouille fouiller repere reperer
    """,
    "summarize": """
        summarise summarize summarised summarized resumer resumez synthetise synthetiser summaries
    """,
    "convert": "convert convertis convertir convertissez",
    "translate": "translate traduis traduire traduisez",
    "calculate": "calculate compute calcule calculer calculez",
    "create": "create cree creer creez generate genere generer fabrique fabriquer build construis",
    "add": "add ajoute ajouter ajoutez insert insere inserer append",
    "write": "write ecris ecrire ecrivez redige rediger jot inscris inscrire",
    "save": "save enregistre enregistrer enregistrez sauvegarde sauvegarder store",
    "remember": """
        remember memorise memorize memoriser souviens souvenir souvenez retiens retenir retenez
        retiennes
    """,
    "remind": "remind",
    "update": """
        update edit modify change modifie modifier modifiez changer remplace remplacer replace
        rename renomme renommer corrige corriger actualise actualiser overwrite ecrase
    """,
    "move": "move deplace deplacer deplacez",
    "delete": """
        delete erase remove wipe uninstall forget discard supprime supprimer supprimez efface
        effacer effacez enleve enlever retire retirer oublie oublier desinstalle desinstaller jette
        jeter detruis detruire destroy vider purge
    """,
    "send": """
        send forward envoie envoyer envoyez transmets transmettre partage partager partagez expedie
        expedier publie publier publish tweet
    """,
    "copy": "copie copier copiez clone duplicate duplique dupliquer",
    "transfer": "download upload telecharge telecharger televerse televerser import export",
    "pack": "zip unzip compress compresse compresser encrypt decrypt chiffre chiffrer",
    "put_on_paper": "imprime imprimer imprimez",
    "play": "joue jouer jouez ecoute ecouter ecoutez listen",
    "acquire": """
        buy achete acheter achetez commander reserve reserver reservez loue louer rent
    """,
    "call": "telephone telephoner appelle appeler appelez",
    "switch": """
        allume allumer eteins eteindre turn baisse baisser ferme fermer fermez active activer
        desactive desactiver enable disable verrouille lock unlock
    """,
    "start": """
        start launch execute lance lancer lancez demarre demarrer deploy deploie deployer restart
    """,
    "stop": """
        stop cancel pause annule annuler annulez arrete arreter arretez revert halt abort kill
    """,
    "publish_code": "push pousse pousser merge fusionne fusionner rebase checkout",
    "pay": "pay paie payer paye rembourse rembourser",
    "count": "combien",
    "why": "why pourquoi",
    "who": "who",
    "think": "think penses pensez",
}
_WHERE_A_CLAUSE_BEGINS: Mapping[str, str] = {
    "show": "check let have look",
    "list": "list liste listez",
    "print": "print dump",
    "search": "search look scan",
    "summarize": "resume sum summary",
    "write": "note notes noter notez write",
    "move": "move",
    "copy": "copy",
    "send": "mail email share text post message",
    "play": "play watch",
    "acquire": "order book commande",
    "call": "call phone ring",
    "switch": "close shut monte mets-en dim",
    "start": "run",
    "set": "set mets mettre mettez regle regler put",
    "commit": "commit",
    "remind": "rappelle rappeler rappelez",
    "delete": "clear empty vide drop trash",
    "who": "qui",
    "when": "when quand",
    "where": "where",
    "make": "make fais faire faites fait prepare prends prendre prenez take",
    "keep": "keep garde garder gardez bear",
    "learn": "learn",
}
READING = frozenset({"show", "read", "open", "list", "search"})
"""Actions that people use for one another when they want to see something."""
KEEPING = frozenset({"write", "save", "remember", "add", "set"})
"""Actions that people use for one another when something is to be kept."""
VAGUE = frozenset({"show", "make", "keep", "where"})
"""Actions that say little about what is wanted: they neither prove nor refute an intent."""

# What may stand before the verb that begins a clause.
_BEFORE_VERBS = frozenset(
    """
    do not don ne n please kindly can could would will you i i'd we like want need to me us let's
    just also now hey hi hello ok so i'm going d have help able peux peut pouvez pourrais pourriez
    tu vous je j m nous moi te se le la les lui l s t il stp svp voudrais veux aimerais faut
    faudrait est ce que qu bonjour salut bonsoir alors donc aussi besoin de ai envie plait y dois
    doit aller vais maintenant fais
    """.split()  # noqa: SIM905 - a list of a hundred words
)
_CLAUSE_WORDS = frozenset("and then et puis ensuite or ou but mais".split())  # noqa: SIM905
_NEGATIONS = frozenset("not don doesn never ne n jamais".split())  # noqa: SIM905

_CLASS_OF = {word: name for name, all_ in _ANYWHERE.items() for word in all_.split()}
_OPENING_CLASS_OF = {
    word: name for name, all_ in _WHERE_A_CLAUSE_BEGINS.items() for word in all_.split()
}
_HARMLESS = (READING - {"open"}) | {"summarize", "convert", "translate", "calculate", "count"}
_READING_NOUNS = frozenset(
    """
    count current diff forecast history info information log logs overview preview report schedule
    stats statistics status summary time version weather
    """.split()  # noqa: SIM905
)
_HOW_MANY = (("how", "many"), ("how", "much"), ("how", "long"), ("how", "often"))


def actions(words: list[str]) -> frozenset[str]:
    """Return the actions that folded words (stop words among them) ask for.

    Where the words negate ("do not", "ne ... pas"), each action is one of its own: `not read`.
    """
    found = {action for place in range(len(words)) if (action := action_of(words, place))}
    if any(pair in _HOW_MANY for pair in pairwise(words)):
        found.add("count")
    if _NEGATIONS.isdisjoint(words):
        return frozenset(found)
    return frozenset(f"not {each}" for each in found or {"do"})


def action_of(words: list[str], place: int) -> str:
    """Return the action that the word at a place asks for; "" if it is no verb there."""
    word = words[place]
    if word in _CLASS_OF:
        return _CLASS_OF[word]
    if word == "qui" and words[max(0, place - 1) : place] == ["ce"]:
        return ""  # "qu'est-ce qui": what, not who
    if word in _OPENING_CLASS_OF and _begins_clause(words, place):
        return _OPENING_CLASS_OF[word]
    return ""


def only_reads(tool_name: str) -> bool:
    """Return whether a tool's name says that it only looks; one that does not say is no reader."""
    words = all_words(tool_name)
    found = actions(words)
    if found - _HARMLESS:
        return False
    return bool(found) or not _READING_NOUNS.isdisjoint(words)


def _begins_clause(words: list[str], place: int) -> bool:
    for before in reversed(words[:place]):
        if before in _CLAUSE_WORDS or before == ":":
            return True
        if before not in _BEFORE_VERBS:
            return False
    return True
