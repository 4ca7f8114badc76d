// Mends what the theme's and docutils' markup gets wrong for screen readers.
// Nothing here is needed to read the book: without scripts only these repairs are missing.
"use strict";

const each = (selector, repair) => document.querySelectorAll(selector).forEach(repair);

function mend() {
  // Names that hide the visible text ("Show code cell source") from voice control.
  each("summary[aria-label], .search-button-field[aria-label]", (e) => e.removeAttribute("aria-label"));
  // The same for the colour button, whose icons have titles of their own (as attributes until
  // Font Awesome has turned them into elements).
  each(".theme-switch-button > *", (icon) => {
    icon.removeAttribute("title");
    icon.querySelector("title")?.remove();
    icon.setAttribute("aria-hidden", "true");
  });

  // The arrows that unfold a chapter in the sidebar have no name.
  each(".bd-sidebar-primary details > summary", (e) => {
    const chapter = e.closest("li").querySelector("a").textContent.trim();
    e.setAttribute("aria-label", `Sections of ${chapter}`);
  });

  // The logo stands outside every landmark.
  each(".sidebar-primary-item:has(> .navbar-brand)", (e) => {
    e.setAttribute("role", "navigation");
    e.setAttribute("aria-label", "Home");
  });

  // A role that no longer exists, in a list that expects items.
  each(".citation-list > .citation", (e) => e.setAttribute("role", "listitem"));

  // The boxes of a check list are named by their lines.
  each(".task-list-item-checkbox", (e) => e.setAttribute("aria-label", e.closest("li").innerText.trim()));

  // What scrolls sideways can be reached by the keyboard. (The theme does this for code and tables.)
  each(".bd-article .math, .bd-article mjx-container, .bd-article .text_html", (e) => {
    if (e.scrollWidth > e.clientWidth && getComputedStyle(e).overflowX === "auto") e.tabIndex = 0;
  });
}

// A link to something that is folded unfolds it.
function unfold() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let fold = target?.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
}

unfold();
addEventListener("hashchange", unfold);
mend();
addEventListener("load", () => Promise.resolve(window.MathJax?.startup?.promise).then(mend));
addEventListener("resize", mend);
// The icons may be replaced later still.
each(".theme-switch-button", (button) => {
  new MutationObserver(mend).observe(button, { childList: true, subtree: true });
});
