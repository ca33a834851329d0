// The legend: the triangle of the heads, corners numbered; with another number of heads there is none.

function drawLegend() {
  const canvas = $("legend"), {width, height} = canvas, pad = 34, side = width - 2 * pad, tall = height - 2 * pad;
  canvas.hidden = state.tower.heads !== 3;
  if (canvas.hidden) return;
  const pen = canvas.getContext("2d"), image = pen.createImageData(width, height);
  for (let y = 0; y < tall; y++) for (let x = 0; x < side; x++) {
    const one = 1 - (y + .5) / tall, last = (x + .5) / side - one / 2, w = [one, 1 - one - last, last];
    if (Math.min(...w) >= 0) image.data.set([...mix(w), 255], 4 * ((y + pad) * width + x + pad));
  }
  pen.putImageData(image, 0, 0);
  pen.fillStyle = css("--text"); pen.font = "600 30px ui-sans-serif, system-ui, sans-serif";
  pen.textAlign = "center"; pen.textBaseline = "middle";
  const corners = [[width / 2, 17], [15, height - 24], [width - 15, height - 24]];
  corners.forEach(([x, y], k) => pen.fillText(k + 1, x, y));
}

when("tower", drawLegend);
