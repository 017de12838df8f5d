"""What people say for a number, a date, a path and the like, in French and English: typed values.

Each type has a `pattern`, a regex over folded text that stands in the regex of a sentence template,
and `read`, which says what the captured words are, or that they are none (NOT_A_VALUE). Both
languages are read at once; the language of a request only settles what they write differently.
Everything is decided from the text and from `now`: no clock, no locale, no network.
"""

from podium.text.values.catalogue import TYPES
from podium.text.values.kinds import NOT_A_VALUE, NotAValue, ValueType
from podium.text.values.options import SlotOptionError, with_options

__all__ = ["NOT_A_VALUE", "TYPES", "NotAValue", "SlotOptionError", "ValueType", "with_options"]
