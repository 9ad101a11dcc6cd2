// An image on a canvas with outlines on it: pan, zoom, tell what is under the pointer, pick ROIs.
//
// Coordinates in `data` are pixels of the image, rows first; the centre of the first pixel is
// (0, 0). Picking sends the chosen ROI numbers as the trigger `picked`; what is drawn as selected
// always comes from `data.selected`, so that every other way to select is shown as well.

const MARGIN = { left: 44, top: 8, right: 8, bottom: 36 };
const TALLEST_PX = 640;
const CLICK_PX = 4;
const MOST_ZOOM = 40;
const viewers = new WeakMap();

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  let viewer = viewers.get(parentElement);
  if (!viewer) {
    viewer = new Viewer(parentElement.querySelector(".viewer"));
    viewers.set(parentElement, viewer);
  }
  viewer.pick = (ids) => setTriggerValue("picked", { rois: ids });
  viewer.show(data);
}

class Viewer {
  constructor(root) {
    this.root = root;
    this.canvas = root.querySelector("canvas");
    this.tip = root.querySelector(".tip");
    this.view = { row: 0, col: 0, zoom: 1 };
    this.drag = null;
    this.hovered = null;
    this.listen();
    new ResizeObserver(() => this.resize()).observe(root);
  }

  listen() {
    const on = (name, action, options) => this.canvas.addEventListener(name, action, options);
    on("pointerdown", (event) => this.press(event));
    on("pointermove", (event) => this.move(event));
    on("pointerup", (event) => this.release(event));
    on("pointerleave", () => this.hover(null));
    on("dblclick", () => this.reset());
    on("wheel", (event) => this.wheel(event), { passive: false });
    const buttons = { ".closer": () => this.zoomBy(1.5), ".wider": () => this.zoomBy(1 / 1.5) };
    for (const [name, action] of Object.entries({ ...buttons, ".whole": () => this.reset() })) {
      this.root.querySelector(name).onclick = action;
    }
  }

  show(data) {
    const isOther = !this.data || this.data.image !== data.image;
    const isReshaped = !this.data || this.data.n_rows !== data.n_rows;
    this.data = data;
    this.selected = new Set(data.selected);
    this.paths = data.rois.map((roi) => outline(roi.contour));
    this.canvas.setAttribute("aria-label", data.label);
    if (isReshaped || !this.size) this.resize();
    if (!isOther) return this.draw();
    const image = new Image();
    image.onload = () => {
      this.image = image;
      this.draw();
    };
    image.src = data.image;
  }

  resize() {
    if (!this.data) return;
    const { n_rows, n_cols } = this.data;
    const room = this.root.clientWidth - MARGIN.left - MARGIN.right;
    if (room <= 0) return;
    this.fit = Math.min(room / n_cols, TALLEST_PX / n_rows);
    this.size = { width: this.fit * n_cols, height: this.fit * n_rows };
    const width = this.size.width + MARGIN.left + MARGIN.right;
    const height = this.size.height + MARGIN.top + MARGIN.bottom;
    const density = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * density);
    this.canvas.height = Math.round(height * density);
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
    this.draw();
  }

  // Where things are: screen pixels from image pixels, and back.

  get scale() {
    return this.fit * this.view.zoom;
  }

  toScreen(row, col) {
    return {
      x: MARGIN.left + (col + 0.5 - this.view.col) * this.scale,
      y: MARGIN.top + (row + 0.5 - this.view.row) * this.scale,
    };
  }

  toImage(event) {
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    return {
      row: (y - MARGIN.top) / this.scale + this.view.row - 0.5,
      col: (x - MARGIN.left) / this.scale + this.view.col - 0.5,
      x,
      y,
    };
  }

  // What the pointer does.

  press(event) {
    if (event.button !== 0) return;
    this.drag = { from: this.toImage(event), view: { ...this.view }, box: event.shiftKey };
    this.canvas.setPointerCapture(event.pointerId);
  }

  move(event) {
    const at = this.toImage(event);
    if (!this.drag) return this.hover(at);
    this.drag.to = at;
    this.drag.far ||= distance(this.drag.from, at) > CLICK_PX;
    if (this.drag.far && !this.drag.box) {
      const { from, view } = this.drag;
      this.view.row = view.row - (at.y - from.y) / this.scale;
      this.view.col = view.col - (at.x - from.x) / this.scale;
      this.keepInside();
    }
    this.draw();
  }

  release(event) {
    const drag = this.drag;
    this.drag = null;
    if (!drag) return;
    const adds = event.shiftKey || event.ctrlKey || event.metaKey;
    if (!drag.far) this.choose(this.under(this.toImage(event)), adds);
    else if (drag.box) this.chooseInside(drag.from, this.toImage(event));
    this.draw();
  }

  choose(roi, adds) {
    const ids = new Set(adds ? this.selected : []);
    if (roi && adds && ids.has(roi.id)) ids.delete(roi.id);
    else if (roi) ids.add(roi.id);
    if (roi || !adds) this.select(ids);
  }

  chooseInside(from, to) {
    const [top, bottom] = [from.row, to.row].sort((a, b) => a - b);
    const [left, right] = [from.col, to.col].sort((a, b) => a - b);
    const inside = ({ center: [row, col] }) =>
      row >= top && row <= bottom && col >= left && col <= right;
    const ids = this.data.rois.filter(inside).map((roi) => roi.id);
    this.select(new Set([...this.selected, ...ids]));
  }

  select(ids) {
    if (!this.data.selectable) return;
    this.selected = ids;
    this.pick([...ids].sort((a, b) => a - b));
    this.draw();
  }

  under({ row, col }) {
    const context = this.canvas.getContext("2d");
    context.save();
    context.resetTransform();
    const hits = this.data.rois.filter((_, i) => context.isPointInPath(this.paths[i], col, row));
    context.restore();
    const far = ({ center }) => Math.hypot(center[0] - row, center[1] - col);
    return hits.sort((a, b) => far(a) - far(b))[0];
  }

  hover(at) {
    const roi = at && this.data ? this.under(at) : null;
    this.tip.hidden = !roi;
    if (roi) {
      this.tip.textContent = roi.tip;
      const room = this.root.clientWidth - this.tip.offsetWidth;
      this.tip.style.left = `${Math.min(at.x + 14, room)}px`;
      this.tip.style.top = `${at.y + 16}px`;
    }
    this.canvas.style.cursor = roi && this.data.selectable ? "pointer" : "crosshair";
    if (roi === this.hovered) return;
    this.hovered = roi;
    this.draw();
  }

  wheel(event) {
    if (!event.ctrlKey && !event.metaKey) return; // the page scrolls
    event.preventDefault();
    this.zoomBy(Math.exp(-event.deltaY / 200), this.toImage(event));
  }

  zoomBy(factor, at) {
    const { n_rows, n_cols } = this.data;
    const zoom = Math.min(MOST_ZOOM, Math.max(1, this.view.zoom * factor));
    const part = this.view.zoom / zoom;
    const middle = {
      row: this.view.row + n_rows / this.view.zoom / 2 - 0.5,
      col: this.view.col + n_cols / this.view.zoom / 2 - 0.5,
    };
    const { row, col } = at || middle;
    this.view.row = row + 0.5 - (row + 0.5 - this.view.row) * part;
    this.view.col = col + 0.5 - (col + 0.5 - this.view.col) * part;
    this.view.zoom = zoom;
    this.keepInside();
    this.draw();
  }

  reset() {
    this.view = { row: 0, col: 0, zoom: 1 };
    this.draw();
  }

  keepInside() {
    const { n_rows, n_cols } = this.data;
    const { view } = this;
    view.row = Math.min(Math.max(0, view.row), n_rows - n_rows / view.zoom);
    view.col = Math.min(Math.max(0, view.col), n_cols - n_cols / view.zoom);
  }

  // What is seen.

  draw() {
    if (!this.image || !this.size) return;
    const context = this.canvas.getContext("2d");
    const density = window.devicePixelRatio || 1;
    context.setTransform(density, 0, 0, density, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    context.save();
    context.beginPath();
    context.rect(MARGIN.left, MARGIN.top, this.size.width, this.size.height);
    context.clip();
    this.drawImage(context);
    this.drawOutlines(context);
    this.drawScaleBar(context);
    this.drawBox(context);
    context.restore();
    this.drawAxes(context);
  }

  drawImage(context) {
    const corner = this.toScreen(-0.5, -0.5);
    const { n_rows, n_cols } = this.data;
    context.imageSmoothingEnabled = this.scale < 3;
    context.drawImage(this.image, corner.x, corner.y, n_cols * this.scale, n_rows * this.scale);
  }

  drawOutlines(context) {
    const origin = this.toScreen(0, 0);
    const toScreen = new DOMMatrix([this.scale, 0, 0, this.scale, origin.x, origin.y]);
    this.data.rois.forEach((roi, i) => {
      const path = new Path2D();
      path.addPath(this.paths[i], toScreen);
      const isSelected = this.selected.has(roi.id);
      context.setLineDash(roi.accepted ? [] : [4, 3]);
      context.strokeStyle = roi.color;
      context.fillStyle = roi.color;
      context.lineWidth = isSelected ? 2.8 : roi === this.hovered ? 2.2 : 1.3;
      context.globalAlpha = isSelected ? 0.3 : roi === this.hovered ? 0.15 : 0;
      if (context.globalAlpha) context.fill(path);
      context.globalAlpha = 1;
      context.stroke(path);
    });
    context.setLineDash([]);
    for (const roi of this.data.rois) if (this.selected.has(roi.id)) this.drawName(context, roi);
  }

  drawName(context, roi) {
    const { x, y } = this.toScreen(...roi.center);
    context.font = `600 12px ${this.font()}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineWidth = 3;
    context.strokeStyle = "rgba(0, 0, 0, 0.75)";
    context.strokeText(roi.id, x, y);
    context.fillStyle = "#ffffff";
    context.fillText(roi.id, x, y);
  }

  drawScaleBar(context) {
    const size_um = this.data.pixel_size_um;
    if (!size_um) return;
    const um = roundDown((0.25 * this.size.width * size_um[1]) / this.scale);
    const length = (um / size_um[1]) * this.scale;
    const right = MARGIN.left + this.size.width - 14;
    const bottom = MARGIN.top + this.size.height - 14;
    context.fillStyle = "rgba(0, 0, 0, 0.45)";
    context.fillRect(right - length - 8, bottom - 22, length + 16, 30);
    context.fillStyle = "#ffffff";
    context.fillRect(right - length, bottom - 2, length, 3);
    context.font = `12px ${this.font()}`;
    context.textAlign = "center";
    context.textBaseline = "bottom";
    context.fillText(`${um} µm`, right - length / 2, bottom - 4);
  }

  drawBox(context) {
    if (!this.drag?.box || !this.drag.far) return;
    const { from, to } = this.drag;
    context.strokeStyle = "#ffffff";
    context.lineWidth = 1;
    context.setLineDash([5, 4]);
    context.strokeRect(from.x, from.y, to.x - from.x, to.y - from.y);
    context.setLineDash([]);
  }

  drawAxes(context) {
    const { width, height } = this.size;
    const step = roundDown((90 / this.scale) * 1.4);
    const color = getComputedStyle(this.root).color;
    context.fillStyle = context.strokeStyle = color;
    context.lineWidth = 1;
    context.font = `11px ${this.font()}`;
    context.textBaseline = "top";
    context.textAlign = "center";
    for (const col of ticks(this.view.col, this.data.n_cols / this.view.zoom, step)) {
      const { x } = this.toScreen(0, col);
      context.fillRect(x, MARGIN.top + height, 1, 4);
      context.fillText(col, x, MARGIN.top + height + 6);
    }
    context.fillText("column (px)", MARGIN.left + width / 2, MARGIN.top + height + 21);
    context.textBaseline = "middle";
    context.textAlign = "right";
    for (const row of ticks(this.view.row, this.data.n_rows / this.view.zoom, step)) {
      const { y } = this.toScreen(row, 0);
      context.fillRect(MARGIN.left - 4, y, 4, 1);
      context.fillText(row, MARGIN.left - 6, y);
    }
    context.save();
    context.translate(8, MARGIN.top + height / 2);
    context.rotate(-Math.PI / 2);
    context.textAlign = "center";
    context.fillText("row (px)", 0, 0);
    context.restore();
  }

  font() {
    return getComputedStyle(this.root).fontFamily;
  }
}

function outline(points) {
  const path = new Path2D();
  points.forEach(([row, col], i) => (i ? path.lineTo(col, row) : path.moveTo(col, row)));
  path.closePath();
  return path;
}

function ticks(start, length, step) {
  const found = [];
  for (let at = Math.ceil(start / step) * step; at <= start + length - 1; at += step) {
    found.push(at);
  }
  return found;
}

function roundDown(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, value)));
  return power * [5, 2, 1].find((step) => step * power <= Math.max(1, value));
}

function distance(a, b) {
  return Math.hypot(a.x - b.x, a.y - b.y);
}
