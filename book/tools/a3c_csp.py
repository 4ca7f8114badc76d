"""Every page says what it may load and run: a Content-Security-Policy in its head.

Nothing comes from another host. Scripts are files of the site; the few lines that the theme writes
into a page are named by their hashes, so that no other line can run. Styles may stand in the page:
MathJax writes its own there.
"""

import base64
import hashlib
import html
import re
from pathlib import Path

META = '<meta http-equiv="Content-Security-Policy" content="{policy}">'
OLD = re.compile(r'\n?<meta http-equiv="Content-Security-Policy"[^>]*>')
#: Behind the page's encoding, which has to stand among its first bytes; in front of all else.
HEAD = re.compile(r"<head>(\s*<meta charset=[^>]*>)?", re.I)
SCRIPT = re.compile(r"<script(?P<attributes>[^>]*)>(?P<code>.*?)</script>", re.S | re.I)
HANDLER = re.compile(r'<[^>]*\son[a-z]+="(?P<code>[^"]*)"')
NO_CODE = re.compile(r"""type=["'](?!text/javascript|module)""")

POLICY = {
    "default-src": "'none'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self'",
    "worker-src": "'self' blob:",
    "form-action": "'self'",
    "base-uri": "'none'",
}


def hash_of(code):
    """Return a script's hash as a policy names it.

    Examples
    --------
    >>> hash_of("")
    "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
    """
    digest = hashlib.sha256(code.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def handlers_of(page):
    """Return the hashes of what a page runs when something is clicked: the theme's print button."""
    return {hash_of(html.unescape(found["code"])) for found in HANDLER.finditer(page)}


def policy_of(page, handlers):
    """Return the policy of a page: its own lines of script, and the site's handlers.

    Those of all pages, because the search page reads the others.
    """
    scripts = {
        hash_of(found["code"])
        for found in SCRIPT.finditer(page)
        if "src=" not in found["attributes"] and not NO_CODE.search(found["attributes"])
    }
    allowed = ["'self'", *(["'unsafe-hashes'"] if handlers else []), *sorted(scripts | handlers)]
    return "; ".join(f"{what} {who}" for what, who in {
        **POLICY, "script-src": " ".join(allowed)
    }.items())  # fmt: skip


def write_policies(app, exception):
    """Put the policy into every page, in front of everything that it is about."""
    if exception is not None or app.builder.format != "html":
        return
    paths = sorted(Path(app.outdir).rglob("*.html"))
    pages = {path: OLD.sub("", path.read_text(encoding="utf-8")) for path in paths}
    handlers = set().union(*map(handlers_of, pages.values()))
    for path, page in pages.items():
        meta = META.format(policy=policy_of(page, handlers))
        page = HEAD.sub(lambda head: f"{head[0]}\n{meta}", page, count=1)  # noqa: B023 - used at once
        path.write_text(page, encoding="utf-8", newline="\n")


def setup(app):
    """Register everything with Sphinx."""
    app.connect("build-finished", write_policies, priority=950)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
