"""Texts, ids, rows and options that mean something to a browser, a template or a terminal."""

MARKUP = (
    "<script>document.title='taken'</script> </style> <img src=x onerror=alert(1)> {{7*7}} {% raw %} "
    '<a href="javascript:alert(1)">x</a> ]]> <!-- --> &amp; \' " ` <svg onload=alert(1)>'
)
TEXTS = {
    "<script>document.title='id'</script>": MARKUP,
    "\"'><img src=http://example.org/x.png>": "One.\nTwo.\n\n\ttab\x00nul\x07bell\x1b[31m \x7f \u0085 \u2028 end of it",
    "\u202eevil {{7*7}}": "\u202e reversed \u202c \u2066 and \u2069 מרחבא, with \u200b zero \ufeff width.",
    "emoji": "naïve 👩‍👩‍👧 🏳️‍🌈 日本語のテキスト e\u0301 \u0301\u0302 a\u200db and more of this.",
    "hebrew": "בשנת 1974 עברה מארה ולטינג לליסק; אף אחד ממכתביה לא שרד.",
    "one": "a",
    "commas": ", , . . ,",
    "spaces": "a" + " " * 300 + "b" + "\n" * 40 + "c",
    "stacked": "Z" + "".join(chr(0x300 + i % 100) for i in range(300)) + " end.",
    "long": "x" * 3000,
}
REJECTED = [
    '{"id": "<script>document.title=1</script>", "text": ""}',
    '{"id": 3, "text": ["<img src=x onerror=alert(1)>"]}',
    "{broken </style><script>alert(1)</script>",
    *['{"id": "s", "text": "\\ud800 lone"}'] * 25,
]
OPTIONS = {"drop_mode": "mask", "mask_string": "<b>{{7*7}}</b>", "protect": ['</script>|"', "<!--"]}
