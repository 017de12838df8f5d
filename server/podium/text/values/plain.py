"""Types whose value is the text itself: text, word, path, e-mail, URL, quoted; and yes or no."""

from podium.text.values.kinds import NOT_A_VALUE, Form, Groups, Said, any_of, form_type, words

MAX_TEXT = 10_000  # characters a wildcard or a quotation takes
MAX_NAME = 512  # characters of a path or an address


def _as_written(_groups: Groups, said: Said) -> str:
    return said.text


def _without_quotes(_groups: Groups, said: Said) -> object:
    return said.text[1:-1].strip() or NOT_A_VALUE


def _as_url(groups: Groups, said: Said) -> str:
    return f"https://{said.text}" if "bare" in groups else said.text


_APOSTROPHE = r"(?<=\w)'(?=\w)"  # of "l'été": it closes no quotation


def _quotation(characters: int) -> str:
    return any_of(
        (
            rf'"[^"]{{1,{characters}}}"',
            rf"(?<!\w)'(?:[^']|{_APOSTROPHE}){{1,{characters}}}'(?!\w)",
            rf"`[^`]{{1,{characters}}}`",
        )
    )


_PATH = (
    rf"(?!\w{{2,16}}://)(?:[a-z]:(?=[\\/]))?"
    rf"""(?:[^\s"'`<>|?;,:!()\[\]{{}}]|{_APOSTROPHE}|[(\[{{](?=\w)|(?<=\w)[)\]}}](?=[\w.]))"""
    rf"{{0,{MAX_NAME - 1}}}"
    r"""(?:[^\s"'`<>|?;,:!()\[\]{}.]|(?<![^\s/\\"])\.{1,2}(?![^\s]))"""
)
_ATOM = r"[\w%+'-]{1,64}"
_EMAIL = (
    rf"(?<![\w.@])(?:{_ATOM}\.){{0,5}}{_ATOM}@(?:[a-z0-9-]{{1,63}}\.){{1,8}}[a-z]{{2,24}}(?![\w@])"
)
_TAIL = r"""(?:[^\s<>"`]{0,2000}(?:[^\s<>"'`.,;:!?()\[\]{}]|\([^\s()<>"]{0,200}\)))"""
_DOMAINS = words("com org net edu gov info io dev app ai eu fr be ch ca lu uk us de es it nl")
_BARE_URL = (
    rf"(?P<bare>(?<![\w.@/-])(?:www\.(?:[\w-]{{1,63}}\.){{1,8}}[a-z]{{2,24}}"
    rf"|(?:[\w-]{{1,63}}\.){{1,8}}{_DOMAINS})(?![\w@-]|\.\w)(?::\d{{1,5}})?(?:/{_TAIL}?)?)"
)
_URL = rf"(?:(?:https?|ftp)://{_TAIL}|{_BARE_URL})"

_YES = words(
    """
    oui ouais yes yeah yep true vrai vraie on ok okay d'accord allume allumee allumer active activee
    activer enable enabled marche en_marche
    """
)
_NO = words(
    """
    non no nope nan false faux fausse off eteint eteinte eteindre desactive desactivee desactiver
    disable disabled arret a_l'arret
    """
)

TEXT = form_type(
    "text", (Form(rf"\S(?:[\s\S]{{0,{MAX_TEXT - 2}}}?\S)?", _as_written),), max_characters=MAX_TEXT
)
WORD = form_type("word", (Form(r"(?<!\w)\w(?:[\w.'@/+#&-]{0,98}[\w+#])?(?!\w)", _as_written),))
PATH = form_type(
    "path",
    (Form(_quotation(MAX_NAME), _without_quotes), Form(_PATH, _as_written)),
    max_characters=MAX_NAME + 2,
)
EMAIL = form_type("email", (Form(_EMAIL, _as_written),), max_characters=MAX_NAME)
URL = form_type("url", (Form(_URL, _as_url),), max_characters=2_100)
QUOTED = form_type(
    "quoted", (Form(_quotation(MAX_TEXT), _without_quotes),), max_characters=MAX_TEXT + 2
)
BOOLEAN = form_type(
    "boolean",
    (
        Form(rf"(?<!\w){_YES}(?!\w)", lambda _groups, _said: True),
        Form(rf"(?<!\w){_NO}(?!\w)", lambda _groups, _said: False),
    ),
)
