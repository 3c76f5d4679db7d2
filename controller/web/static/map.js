// Drawing on the map. What is drawn is written as GeoJSON into the field #shape, which works without this file too; the
// server alone says what lies inside. Pages and pieces that come later are found alike.
const SLIP = 8; // pixels a finger may move and still be a tap
const NAME_PX = 12;

// Outlines one way round, holes the other, as the server reads them.
const turned = (rings) =>
  rings.map((ring, place) => {
    const area = ring.reduce((sum, [x, y], at) => {
      const [next, over] = ring[(at + 1) % ring.length];
      return sum + x * over - next * y;
    }, 0);
    return area > 0 === (place === 0) ? ring : [...ring].reverse();
  });

const readRings = (text) => {
  const of = (data) => {
    if (data?.type === "Feature") return of(data.geometry);
    if (data?.type === "FeatureCollection") return (data.features ?? []).flatMap(of);
    if (data?.type === "Polygon") return turned(data.coordinates);
    if (data?.type === "MultiPolygon") return data.coordinates.flatMap(turned);
    return [];
  };
  try {
    const rings = of(JSON.parse(text));
    return rings.every((ring) => ring.every(([x, y]) => Number.isFinite(x) && Number.isFinite(y))) ? rings : [];
  } catch {
    return [];
  }
};

const begin = (map) => {
  if (map.dataset.ready) return;
  map.dataset.ready = "1";
  const svg = map.querySelector("svg");
  const shape = svg.querySelector(".map-shape");
  const corners = svg.querySelector(".map-corners");
  const names = [...svg.querySelectorAll(".map-labels text")];
  const field = document.getElementById("shape");
  const [west, north] = [Number(map.dataset.west), Number(map.dataset.north)];
  const [across, down] = [Number(map.dataset.across), Number(map.dataset.down)];
  const buttons = Object.fromEntries([...map.querySelectorAll("[data-map-act]")].map((one) => [one.dataset.mapAct, one]));
  const whole = svg.viewBox.baseVal;
  const all = { x: whole.x, y: whole.y, width: whole.width, height: whole.height };
  let view = { ...all };
  let points = []; // [longitude, latitude] of what is drawn here
  let pasted = []; // rings that were typed, and are shown only
  let drawing = false;

  const place = ([lon, lat]) => [(lon - west) * across, (north - lat) * down];
  const line = (ring) => `M${ring.map((one) => place(one).map((n) => n.toFixed(1)).join(" ")).join("L")}`;

  const show = () => {
    const rings = points.length ? [points] : pasted;
    shape.setAttribute("d", rings.filter((ring) => ring.length > 1).map((ring) => `${line(ring)}Z`).join(""));
    corners.setAttribute("d", points.map((one) => `M${place(one).join(" ")}h0`).join(""));
    buttons.undo.disabled = points.length === 0;
    buttons.clear.disabled = rings.length === 0;
  };

  // Names that would lie on each other are left out until one comes closer.
  const frame = () => {
    svg.setAttribute("viewBox", `${view.x} ${view.y} ${view.width} ${view.height}`);
    const scale = Math.max(view.width / (svg.clientWidth || 1), view.height / (svg.clientHeight || 1));
    const taken = [];
    for (const name of names) {
      const size = NAME_PX * scale;
      name.setAttribute("font-size", size);
      const half = (name.textContent.length * size * 0.56) / 2;
      const y = Number(name.getAttribute("y"));
      const x = Math.max(half, Math.min(all.width - half, Number(name.dataset.x)));
      name.setAttribute("x", x);
      const free = taken.every((one) => Math.abs(one.x - x) > one.half + half || Math.abs(one.y - y) > size * 1.3);
      name.style.visibility = free ? "" : "hidden";
      if (free) taken.push({ x, y, half });
    }
  };

  const zoom = (factor, x = view.x + view.width / 2, y = view.y + view.height / 2) => {
    const width = Math.min(all.width * 2, Math.max(all.width / 200, view.width * factor));
    const real = width / view.width;
    view = { x: x - (x - view.x) * real, y: y - (y - view.y) * real, width, height: view.height * real };
    frame();
  };

  const write = () => {
    const ring = points.length >= 3 ? [...points, points[0]] : [];
    field.value = ring.length ? JSON.stringify({ type: "Polygon", coordinates: [ring] }) : "";
    field.dispatchEvent(new Event("change", { bubbles: true }));
  };

  const take = () => {
    const rings = readRings(field.value);
    const single = rings.length === 1 && rings[0].length > 3;
    points = single ? rings[0].slice(0, -1).map(([x, y]) => [x, y]) : [];
    pasted = single ? [] : rings;
    show();
  };

  const spot = (event) => new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());

  const draw = (on) => {
    drawing = on;
    map.classList.toggle("map-drawing", on);
    buttons.draw.setAttribute("aria-pressed", String(on));
  };

  const acts = {
    draw: () => draw(!drawing),
    undo: () => {
      points = points.slice(0, -1);
      show();
      write();
    },
    clear: () => {
      points = [];
      pasted = [];
      show();
      write();
    },
    in: () => zoom(1 / 1.6),
    out: () => zoom(1.6),
    all: () => {
      view = { ...all };
      frame();
    },
  };
  for (const [name, button] of Object.entries(buttons)) button.addEventListener("click", () => acts[name]());

  // One finger or the mouse: a tap sets a corner, a pull moves the picture. Two fingers: closer or further away.
  const fingers = new Map();
  let moved = false;
  let apart = 0;
  const spread = () => {
    const [one, other] = [...fingers.values()];
    return Math.hypot(one.x - other.x, one.y - other.y);
  };
  svg.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    if (fingers.size === 0) moved = false;
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (fingers.size === 2) {
      moved = true;
      apart = spread();
    }
  });
  svg.addEventListener("pointermove", (event) => {
    const from = fingers.get(event.pointerId);
    if (!from) return;
    const [dx, dy] = [event.clientX - from.x, event.clientY - from.y];
    if (!moved && Math.hypot(dx, dy) < SLIP) return;
    if (!moved) svg.setPointerCapture(event.pointerId);
    moved = true;
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (fingers.size === 2) {
      const now = spread();
      if (now > 0 && apart > 0) zoom(apart / now);
      apart = now;
    } else if (fingers.size === 1) {
      const scale = svg.getScreenCTM().a;
      view = { ...view, x: view.x - dx / scale, y: view.y - dy / scale };
      frame();
    }
  });
  const up = (event) => fingers.delete(event.pointerId);
  svg.addEventListener("pointerup", up);
  svg.addEventListener("pointercancel", up);
  svg.addEventListener("click", (event) => {
    if (moved || drawing) event.preventDefault();
    if (moved || !drawing) return;
    const { x, y } = spot(event);
    pasted = [];
    points = [...points, [Number((west + x / across).toFixed(5)), Number((north - y / down).toFixed(5))]];
    show();
    write();
  });
  svg.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !drawing) return; // else the page would no longer scroll over the map
    event.preventDefault();
    const { x, y } = spot(event);
    zoom(event.deltaY < 0 ? 1 / 1.2 : 1.2, x, y);
  }, { passive: false });

  for (const one of map.querySelectorAll(".map-tools, .map-zoom")) one.hidden = false;
  new ResizeObserver(frame).observe(svg);
  field.addEventListener("input", take);
  take();
};

const find = () => document.querySelectorAll("[data-map]").forEach(begin);
document.body.addEventListener("htmx:load", find);
find();
