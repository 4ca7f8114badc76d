"""Check every internal link, image, script and anchor of the built site.

    python book/tools/check_links.py _build/html

Links to other hosts are not followed: the check works without a network.
"""

import sys
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from a3c_tut.files import print_what_can_be
from bs4 import BeautifulSoup


@cache
def parse(page):
    """Return (anchors, links) of one HTML file."""
    soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    anchors = {tag["id"] for tag in soup.find_all(id=True)}
    anchors |= {tag["name"] for tag in soup.find_all("a", attrs={"name": True})}
    links = [tag["href"] for tag in soup.find_all(href=True)]
    links += [tag["src"] for tag in soup.find_all(src=True)]
    return anchors, links


def broken_links(site):
    """List what is broken, as readable sentences."""
    site, problems = Path(site).resolve(), []
    for page in sorted(site.rglob("*.html")):
        if "_static" in page.relative_to(site).parts:
            continue
        where = page.relative_to(site).as_posix()
        for link in parse(page)[1]:
            url = urlsplit(link)
            if url.scheme or url.netloc:
                continue
            if url.path.startswith("/"):
                problems.append(f"{where}: {link} breaks when the site is not at a host's root")
                continue
            target = (page.parent / unquote(url.path)).resolve() if url.path else page
            if target.is_dir():
                target /= "index.html"
            if not target.is_file():
                problems.append(f"{where}: {link} leads nowhere")
                continue
            anchored = url.fragment and target.suffix == ".html"
            if anchored and unquote(url.fragment) not in parse(target)[0]:
                problems.append(f"{where}: {link} names an anchor that does not exist")
    return problems


if __name__ == "__main__":
    print_what_can_be()
    found = broken_links(sys.argv[1])
    print("\n".join(found) or "All internal links lead somewhere.")
    sys.exit(bool(found))
