"""A copy of the whole site to take along: one ZIP file, linked at the end of every page."""

import zipfile
from pathlib import Path

NAME = "a3c-book.zip"
FOLDER = "a3c-book"  # that it unpacks into
LINK = '<p><a href="{address}" download>The whole book as a ZIP file, to read offline</a></p>'
LEFT_OUT = {NAME, ".buildinfo"}


def link_copy(app, pagename, templatename, context, doctree):
    """Name the copy in the page's footer."""
    context["theme_extra_footer"] = LINK.format(address=context["pathto"](NAME, resource=True))


def write_copy(app, exception):
    """Pack the finished site; the same site gives the same bytes."""
    if exception is not None or app.builder.format != "html":
        return
    site = Path(app.outdir)
    files = [path for path in sorted(site.rglob("*")) if path.is_file()]
    with zipfile.ZipFile(site / NAME, "w", zipfile.ZIP_DEFLATED) as copy:
        for path in files:
            inside = path.relative_to(site).as_posix()
            if inside not in LEFT_OUT:
                copy.writestr(entry(f"{FOLDER}/{inside}"), path.read_bytes())


def entry(name):
    """Return an entry of the ZIP file without a date."""
    found = zipfile.ZipInfo(name)
    found.compress_type = zipfile.ZIP_DEFLATED
    found.external_attr = 0o644 << 16
    return found


def setup(app):
    """Register everything with Sphinx."""
    app.connect("html-page-context", link_copy)
    app.connect("build-finished", write_copy, priority=990)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
