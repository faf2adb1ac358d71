"""The words that bcproxy's people agreed not to use, each with what to write instead."""

from __future__ import annotations

# Phrases of earlier texts. Matched without regard to case and line breaks, at word boundaries.
PHRASES: dict[str, str] = {
    "when Microsoft left only OAuth": "when Microsoft made OAuth the only way to sign in",
    "What exceeds Business Central's limits": "Requests beyond Business Central's limits",
    "waits its turn": "is queued",
    "wait their turn": "are queued",
    "wait its turn": "be queued",
    "that is there to be followed": "Links in responses are rewritten to local URLs",
    "data stays as it is stored": "data is never changed",
    "What knows only TLS": "Clients limited to TLS …",
    "Is it well?": "Health checks",
    "Nobody's connection is closed": "No connection is closed",
    "but for those": "except those",
    "hold at once, for those who wait": "apply immediately, including to queued requests",
    "for those who wait as well": "including to queued requests",
    "let everybody go on who waits": "`limits: off` releases the queue",
    "are those of the start": "Changes to … need a restart",
    "Whom it believes": "It trusts the certificates that …",
    "whom Windows believes": "the certificates that Windows trusts",
    "Who comes when": "name the actor: Further connections …",
    "no place left": "the queue is full; the limit is reached",
    "has to come again": "are answered with 503",
    "who keeps the firewall": "the administrator of the firewall",
    "Entra takes the credential": "Entra accepted the credential",
    "the permission has consent": "admin consent is granted",
    "If programs are meant to call it so": "If clients should use this name",
    "do this one's work meanwhile": "take over meanwhile",
    "In which way a request comes to a gate": "Priority with which a request enters the limiter",
    "Since when nobody has got through": "Start of the current stall",
    "Sent so often because something failed": "Retries after a fault",
    "as you like": "at your option",
    "turn away": "reject",
    "turns away": "rejects",
    "turned away": "rejected",
    "send again": "retry",
    "sends again": "retries",
    "sent again": "retried",
    "hand on": "forward",
    "hands on": "forwards",
    "handed on": "forwarded",
    "mend": "fix",
    "mends": "fixes",
    "mended": "fixed",
}

# Private names of earlier code, as regular expressions over `_words_of_an_identifier_`.
OLD_WORDS: dict[str, str] = {
    "_(gates?|gated)_": "limiter",
    "_doors?_": "listener",
    "_(pace[ds]?|pacing)_": "min_rate",
    "_judge(s|d|ments?)?_": "check, filter or inspect",
    "_verdicts?_": "outcome",
    "_mend(s|ed)?_": "fix",
    "_(send|sent|sends)_again_": "retry",
}

# The same, for words that the name of a test may hold where it is a plain English sentence.
OLD_WORDS_OF_SHORT_NAMES: dict[str, str] = {
    "_places?_": "permit, slot, connection_limit or location",
    "_rooms?_": "memory_budget",
    "(?<!_in)(?<!_single)_flights?_": "fetch",
    "_land(ed|s)_": "outcome",
    "(?<!_size)_hints?_": "diagnosis",
    "_destinations?_": "connector",
    "_answers?_": "response",
    "_turn(s|ed|ing)?_": "permit (of the limiter), rewrite (an address)",
    "_kept_": "cache_entry, cached or reused",
    "_whom?_": "client",
    "_programs?_": "client",
    "(?<!_under)(?<!_both)_ways?_": "path",
    "_roads?_": "path",
    "_troubles?_": "known_error or problem",
    "_enters?_": "acquire",
}
# A name of this many words is a sentence.
SENTENCE_WORDS = 5

# Parts that give an old name away wherever they stand, even inside a longer word.
OLD_STEMS: dict[str, str] = {
    "suspicio": "rejected_tokens",
    "clear_of": "rejected_tokens",
    "clearof": "rejected_tokens",
    "keeper": "token_refresher",
    "untaken": "write_backlog",
    "treatment": "body_plan",
    "aloft": "in_flight",
    "unwelcome": "GuardError",
    "send_away": "evict",
    "sendaway": "evict",
    "refus": "reject, rejected, Rejection",
    "linkturn": "LinkRewriter",
    "turner": "rewriter",
}

# British spellings, as regular expressions over whole words, with the American ones.
BRITISH: dict[str, str] = {
    r"(behavi|col|fav|hon|neighb|flav|lab|rum|harb)our(s|ed|ing|ite|able|hood)?": r"\1or\2",
    r"licence(s|d)?": r"license\1",
    r"(cent|met|lit|fib)re(s|d)?": r"\1er\2",
    r"(organ|recogn|initial|serial|deserial|normal|author|unauthor|optim|minim|maxim|synchron|summar|categor|custom|util|real|general"
    r"|special|prior|canonical|capital|random|token|material|apolog|emphas|final|stabil|sanit|visual)is(e|es|ed|ing|ation|ations|er)": r"\1iz\2",
    r"(anal|paral)ys(e|es|ed|ing)": r"\1yz\2",
    r"(cancel|label|travel|model|signal|level|channel|tunnel|total)l(ed|ing|er|ers)": r"\1\2",
    r"catalogue(s|d)?": r"catalog\1",
    r"(artefact)(s)?": r"artifact\2",
    r"grey(ed|s)?": r"gray\1",
    r"(def|off|pret)ence(s)?": r"\1ense\2",
    r"(judg|acknowledg)ement(s)?": r"\1ment\2",
    r"(fulfil|enrol)(s|ment)?": r"\1l\2",
    r"programme(s)?": r"program\1",
    r"whilst": "while",
    r"amongst": "among",
}
