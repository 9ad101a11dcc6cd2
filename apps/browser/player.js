// A short film that can be stopped, and looked at frame by frame.
//
// `data.sheet` is one picture with all frames side by side, `data.n_across` in a row; `data.words`
// says what each of them shows. Nothing is sent back to Python.

const MOST_ZOOM = 6;
const players = new WeakMap();

export default function (component) {
  const { data, parentElement } = component;
  let player = players.get(parentElement);
  if (!player) {
    player = new Player(parentElement.querySelector(".player"));
    players.set(parentElement, player);
  }
  player.show(data);
}

class Player {
  constructor(root) {
    this.root = root;
    this.canvas = root.querySelector("canvas");
    this.button = root.querySelector(".play");
    this.slider = root.querySelector("input");
    this.words = root.querySelector(".words");
    this.frame = 0;
    this.plays = false;
    root.querySelector(".back").onclick = () => this.step(-1);
    root.querySelector(".next").onclick = () => this.step(1);
    this.button.onclick = () => (this.plays ? this.stop() : this.play());
    this.canvas.onclick = this.button.onclick;
    this.slider.oninput = () => {
      this.stop();
      this.goTo(Number(this.slider.value));
    };
    new ResizeObserver(() => this.resize()).observe(root);
  }

  show(data) {
    const isFirst = !this.data;
    const isOther = isFirst || this.data.sheet !== data.sheet;
    this.data = data;
    this.canvas.setAttribute("aria-label", data.label);
    this.slider.max = data.n_frames - 1;
    this.frame = Math.min(this.frame, data.n_frames - 1);
    if (!isOther) return;
    const sheet = new Image();
    sheet.onload = () => {
      this.sheet = sheet;
      this.resize();
      if (isFirst && !matchMedia("(prefers-reduced-motion: reduce)").matches) this.play();
    };
    sheet.src = data.sheet;
  }

  resize() {
    if (!this.data) return;
    const { n_rows, n_cols } = this.data;
    const zoom = Math.min(MOST_ZOOM, this.root.clientWidth / n_cols);
    if (zoom <= 0) return;
    const density = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(n_cols * zoom * density);
    this.canvas.height = Math.round(n_rows * zoom * density);
    this.canvas.style.width = `${n_cols * zoom}px`;
    this.canvas.style.height = `${n_rows * zoom}px`;
    this.draw();
  }

  play() {
    if (this.data.n_frames < 2) return;
    this.plays = true;
    this.since = null;
    this.tell();
    requestAnimationFrame((now) => this.tick(now));
  }

  stop() {
    this.plays = false;
    this.tell();
  }

  tick(now) {
    if (!this.plays || !this.root.isConnected) return;
    const period = 1000 / this.data.rate_hz;
    this.since ??= now;
    const passed = Math.floor((now - this.since) / period);
    if (passed > 0) {
      this.since += passed * period;
      this.goTo(this.frame + passed);
    }
    requestAnimationFrame((later) => this.tick(later));
  }

  step(count) {
    this.stop();
    this.goTo(this.frame + count);
  }

  goTo(frame) {
    const { n_frames } = this.data;
    this.frame = ((frame % n_frames) + n_frames) % n_frames;
    this.draw();
  }

  tell() {
    this.button.textContent = this.plays ? "❚❚" : "►";
    this.button.setAttribute("aria-label", this.plays ? "Pause" : "Play");
    this.button.title = this.plays ? "pause" : "play";
  }

  draw() {
    if (!this.sheet) return;
    const { n_rows, n_cols, n_across, words } = this.data;
    const [down, across] = [Math.floor(this.frame / n_across), this.frame % n_across];
    const context = this.canvas.getContext("2d");
    context.imageSmoothingEnabled = false;
    const from = [across * n_cols, down * n_rows, n_cols, n_rows];
    context.drawImage(this.sheet, ...from, 0, 0, this.canvas.width, this.canvas.height);
    this.slider.value = this.frame;
    this.slider.setAttribute("aria-valuetext", words[this.frame]);
    this.words.textContent = words[this.frame];
    this.tell();
  }
}
