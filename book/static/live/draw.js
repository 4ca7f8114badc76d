// Elements, axes and colours for the live figures. No style attributes: a strict
// Content-Security-Policy refuses them. Colours are classes, so that both modes work.
(globalThis.a3cModules ??= []).push(Object.assign(function draw(a3c) {
  "use strict";
  const SVG = "http://www.w3.org/2000/svg";
  let last_id = 0;

  const new_id = () => `a3c-${++last_id}`;

  function fill(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes ?? {})) {
      if (value === true) element.setAttribute(name, "");
      else if (value !== false && value != null) element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  }

  /** An HTML element. */
  const h = (tag, attributes, ...children) =>
    fill(document.createElement(tag), attributes, children);

  /** An SVG element. */
  const s = (tag, attributes, ...children) =>
    fill(document.createElementNS(SVG, tag), attributes, children);

  /** A number as people write it: −1,234.5 */
  function number(value, digits = 0) {
    if (value === -Infinity) return "−∞";
    const text = Math.abs(value).toLocaleString("en-US", {
      minimumFractionDigits: digits, maximumFractionDigits: digits,
    });
    return value < 0 && /[1-9]/.test(text) ? `−${text}` : text;
  }

  /** A number of any size, with so many digits that count: 0.0031, 2.5e−15. */
  function short(value, digits = 3) {
    if (value === 0) return "0";
    if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
    const size = Math.abs(value);
    const text = size < 1e-3 || size >= 1e5
      ? value.toExponential(1).replace("e+", "e") : String(Number(value.toPrecision(digits)));
    return text.replaceAll("-", "−");
  }

  /** Round numbers between low and high, about `count` of them. */
  function ticks(low, high, count) {
    const rough = (high - low) / count || 1;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((m) => m * power).find((size) => size >= rough * 0.999);
    const marks = [];
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high * (1 + 1e-12) + 1e-12; i++)
      marks.push(i * step);
    return marks;
  }

  /**
   * An empty plot: axes, grid and labels. `x` and `y` are {low, high, ticks, label, map, format}.
   * Returns {svg, X, Y, inside}: X and Y turn values into pixels.
   */
  function plot({ width, height, x, y, label, margin = [10, 26, 42, 56] }) {
    const [top, right, bottom, left] = margin;
    const inner = { left, top, width: width - left - right, height: height - top - bottom };
    const along = x.map ?? ((v) => v), up = y.map ?? ((v) => v);
    const X = (v) => left + ((along(v) - along(x.low)) / (along(x.high) - along(x.low))) * inner.width;
    const Y = (v) => top + (1 - (up(v) - up(y.low)) / (up(y.high) - up(y.low))) * inner.height;
    const svg = s("svg", {
      role: "img", "aria-label": label, width, height, viewBox: `0 0 ${width} ${height}`,
    });
    const floor = top + inner.height;
    for (const v of x.ticks)
      svg.append(
        s("line", { class: "a3c-grid", x1: X(v), x2: X(v), y1: top, y2: floor }),
        s("text", { class: "a3c-tick", x: X(v), y: floor + 16, "text-anchor": "middle" },
          (x.format ?? number)(v)),
      );
    for (const v of y.ticks)
      svg.append(
        s("line", { class: "a3c-grid", x1: left, x2: left + inner.width, y1: Y(v), y2: Y(v) }),
        s("text", { class: "a3c-tick", x: left - 6, y: Y(v) + 4, "text-anchor": "end" },
          (y.format ?? number)(v)),
      );
    svg.append(
      s("text", { class: "a3c-axis", x: left + inner.width / 2, y: height - 6,
        "text-anchor": "middle" }, x.label),
      s("text", { class: "a3c-axis", "text-anchor": "middle",
        transform: `translate(13 ${top + inner.height / 2}) rotate(-90)` }, y.label),
    );
    return { svg, X, Y, inner };
  }

  /** The d of a line through points; NaN interrupts it. */
  function path(points) {
    let d = "", pen = "M";
    for (const [x, y] of points) {
      if (Number.isNaN(y)) {
        pen = "M";
        continue;
      }
      d += `${pen}${x.toFixed(1)} ${y.toFixed(1)}`;
      pen = "L";
    }
    return d;
  }

  // A small mark of another shape for every worker: where it begins, and its outline from there.
  const MARKS = [
    [-2, 0, "a2 2 0 1 0 4 0a2 2 0 1 0-4 0"],
    [-1.8, -1.8, "h3.6v3.6h-3.6z"],
    [0, -2.4, "l2.3 4h-4.6z"],
    [0, -2.5, "l2.5 2.5l-2.5 2.5l-2.5-2.5z"],
    [0, 2.4, "l2.3-4h-4.6z"],
    [-0.8, -2.4, "h1.6v1.6h1.6v1.6h-1.6v1.6h-1.6v-1.6h-1.6v-1.6h1.6z"],
  ];

  /** The d of a worker's mark. */
  function mark(worker, x, y) {
    const [along, down, outline] = MARKS[worker % MARKS.length];
    return `M${Math.round((x + along) * 10) / 10} ${Math.round((y + down) * 10) / 10}${outline}`;
  }

  /** Call `paint` now and whenever the element's width changes. */
  function on_width(element, paint) {
    let width = 0;
    const look = () => {
      const now = Math.floor(element.clientWidth);
      if (now > 0 && now !== width) paint((width = now));
    };
    new ResizeObserver(look).observe(element);
    look();
  }

  /** The JSON that the page holds for a live element. */
  const data_of = (host) => JSON.parse(host.querySelector("script[type='application/json']").text);

  /**
   * A text that screen readers announce, but not while things are still moving. What it says first,
   * when the page opens, is there to be read and is not announced.
   */
  function make_status(element, wait = 300) {
    let timer = 0;
    return (text) => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        if (element.textContent !== text) element.textContent = text;
        setTimeout(() => element.setAttribute("role", "status"), 500);
      }, wait);
    };
  }

  Object.assign(a3c, {
    new_id, h, s, number, short, ticks, plot, path, mark, on_width, data_of, make_status,
  });
}, { page: true }));
