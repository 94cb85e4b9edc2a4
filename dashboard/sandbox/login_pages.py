"""The sandbox's own pages for signing in: plain HTML, no script, nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape

from starlette.responses import Response

_STYLE = """
:root { color-scheme: light dark; }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: flex; justify-content: center; padding: 8vh 1rem 2rem;
  font: 1rem/1.5 system-ui, sans-serif; background: #f4f5f8; color: #1c2230; }
main { width: 100%; max-width: 26rem; align-self: flex-start; background: #fff; padding: 2rem;
  border: 1px solid #d8dbe4; border-radius: .75rem; overflow-wrap: anywhere; }
h1 { margin: 0 0 .5rem; font-size: 1.4rem; line-height: 1.3; }
p { margin: 0 0 1rem; }
label { display: block; margin: 0 0 1rem; font-weight: 600; }
form + form { margin-top: 1.75rem; padding-top: 1.5rem; border-top: 1px solid #d8dbe4; }
input { display: block; width: 100%; margin-top: .25rem; padding: .6rem .75rem; font: inherit;
  font-weight: 400;
  color: inherit; background: #fff; border: 1px solid #7a8194; border-radius: .5rem; }
input.code { font-family: ui-monospace, monospace; letter-spacing: .12em;
  text-transform: uppercase; }
button { display: block; width: 100%; min-height: 2.75rem; margin: .5rem 0 0; padding: .5rem 1rem;
  font: inherit; font-weight: 600; border: 1px solid #7a8194; border-radius: .5rem;
  background: transparent; color: inherit; cursor: pointer; }
button.first { background: #2f4bb8; border-color: #2f4bb8; color: #fff; }
:focus-visible { outline: 3px solid #6f86e0; outline-offset: 2px; }
.error { padding: .6rem .75rem; border-radius: .5rem; background: #fdeaea; color: #8a1420; }
.shown { font: 600 1.3rem ui-monospace, monospace; letter-spacing: .12em; }
footer { margin-top: 1.5rem; color: #565d6e; font-size: .875rem; }
@media (prefers-color-scheme: dark) {
  body { background: #12151d; color: #e8eaf1; }
  main, form + form { background: #1b1f2a; border-color: #343a4a; }
  input { background: #12151d; border-color: #8a91a5; }
  button { border-color: #8a91a5; }
  button.first { background: #8fa3f5; border-color: #8fa3f5; color: #10142a; }
  .error { background: #45191f; color: #ffc9cd; }
  footer { color: #a9afbf; }
}
"""


@dataclass(frozen=True, slots=True)
class Field:
    """An input of a form."""

    name: str
    label: str
    value: str = ""
    kind: str = "text"
    complete: str = "off"
    looks: str = ""


@dataclass(frozen=True, slots=True)
class Form:
    """A form: where it goes, what it carries unseen, what is typed, and its buttons.

    The buttons are `(value of the field "action", text)`; the first one is the main one, unless
    the page has a main one already. `shown` is a code to compare with the one a program printed.
    """

    target: str
    hidden: Mapping[str, str]
    fields: Sequence[Field] = ()
    buttons: Sequence[tuple[str, str]] = ()
    method: str = "post"
    lead: str = ""
    shown: str = ""
    is_main: bool = True


def page(
    title: str,
    *texts: str,
    error: str = "",
    hint: str = "",
    forms: Sequence[Form] = (),
    status: int = 200,
    goes_to: str = "",
) -> Response:
    """Return a page. Every text is escaped here; none of them is HTML.

    Parameters
    ----------
    title
        The heading.
    texts
        Paragraphs below it.
    error
        What went wrong, in front of the rest.
    hint
        A help below everything.
    forms
        What can be done.
    status
        Of the answer.
    goes_to
        Another origin that an answer to the forms may lead to.
    """
    parts = [f"<h1>{escape(title)}</h1>"]
    if error:
        parts.append(f'<p class="error" role="alert">{escape(error)}</p>')
    parts += [f"<p>{escape(text)}</p>" for text in texts]
    parts += [_form(form) for form in forms]
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} · Sandbox</title><style>{_STYLE}</style></head>"
        f"<body><main>{''.join(parts)}"
        f"<footer>{escape(hint)} This is the local sandbox, not a Wallaroo instance.</footer>"
        "</main></body></html>"
    )
    return Response(html, status, headers=headers(goes_to), media_type="text/html")


def redirect(target: str) -> Response:
    """Send the browser on. Only for addresses of ours, or ones that were found allowed."""
    return Response(status_code=303, headers=headers() | {"Location": target})


def headers(goes_to: str = "") -> dict[str, str]:
    """Return the headers of every page: not framed, not kept, nothing loaded."""
    # Browsers hold a form's answer to `form-action` too, wherever it redirects.
    targets = f"'self' {goes_to}".strip()
    return {
        "Content-Security-Policy": (
            f"default-src 'none'; style-src '{_style_digest()}'; form-action {targets}; "
            "frame-ancestors 'none'; base-uri 'none'"
        ),
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Opener-Policy": "same-origin",
        # Not "no-referrer": with it a browser hides the origin of the form, which is checked.
        "Referrer-Policy": "same-origin",
        "Cache-Control": "no-store",
    }


@cache
def _style_digest() -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}"


def _form(form: Form) -> str:
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in form.hidden.items()
    )
    first = ' class="first"' if form.is_main else ""
    buttons = "".join(
        f'<button{first if number == 0 else ""} name="action" value="{escape(value)}">'
        f"{escape(text)}</button>"
        for number, (value, text) in enumerate(form.buttons)
    )
    lead = f"<p>{escape(form.lead)}</p>" if form.lead else ""
    lead += f'<p class="shown">{escape(form.shown)}</p>' if form.shown else ""
    return (
        f'<form method="{escape(form.method)}" action="{escape(form.target)}">'
        f"{lead}{hidden}{''.join(map(_field, form.fields))}{buttons}</form>"
    )


def _field(field: Field) -> str:
    looks = f' class="{escape(field.looks)}"' if field.looks else ""
    return (
        f"<label>{escape(field.label)}"
        f'<input{looks} type="{escape(field.kind)}" name="{escape(field.name)}" required '
        f'value="{escape(field.value)}" autocomplete="{escape(field.complete)}" '
        'autocapitalize="none" spellcheck="false"></label>'
    )
