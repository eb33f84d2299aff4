// Shows what each line of a chart says at the pointer.
for (const chart of document.querySelectorAll(".chart")) {
  const series = JSON.parse(chart.dataset.series);
  const svg = chart.querySelector("svg");
  const cursor = chart.querySelector(".cursor");
  const readout = document.createElement("div");
  readout.className = "readout";
  const hide = () => { cursor.replaceChildren(); readout.remove(); };
  svg.addEventListener("pointerleave", hide);
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width;
    const nearest = (points) => points.reduce((best, point) =>
      !best || Math.abs(point[0] - x) < Math.abs(best[0] - x) ? point : best, null);
    const found = series.map((one) => ({ one, point: nearest(one.points) })).filter((it) => it.point);
    if (!found.length) return hide();
    const shape = (name, attributes, color) => {
      const element = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const key in attributes) element.setAttribute(key, attributes[key]);
      if (color !== undefined) element.style.fill = `var(--c${color})`;
      return element;
    };
    const at = found[0].point[0];
    cursor.replaceChildren(
      shape("line", { x1: at, x2: at, y1: 14, y2: 240 }),
      ...found.map(({ one, point }) => shape("circle", { cx: point[0], cy: point[1], r: 4.5 }, one.color)));
    readout.replaceChildren(...found.map(({ one, point }) => {
      const line = document.createElement("div");
      const mark = document.createElement("i");
      mark.className = `c${one.color}`;
      line.append(mark, `${one.name}  ${point[2]}`);
      return line;
    }));
    chart.append(readout);
    const left = at / svg.viewBox.baseVal.width * box.width;
    readout.style.left = left > box.width / 2 ? `${left - readout.offsetWidth - 14}px` : `${left + 14}px`;
  });
}
for (const time of document.querySelectorAll("time[data-unix]")) {
  time.textContent = new Date(time.dataset.unix * 1000).toLocaleString();
}
