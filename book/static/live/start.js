// Bring the live elements of this page to life. Until then, and without scripts, a picture and a
// sentence stand in their place.
(() => {
  "use strict";
  const a3c = {};
  for (const module of globalThis.a3cModules) module(a3c);
  const folder = document.currentScript.src.replace(/[^/]*$/, "");
  const makers = {
    live: a3c.make_lab, stepper: a3c.make_stepper, pushes: a3c.make_pushes, balance: a3c.make_balance,
    draw: a3c.make_drawing,
  };
  for (const host of document.querySelectorAll("[data-a3c]")) makers[host.dataset.a3c](host, folder);
})();
