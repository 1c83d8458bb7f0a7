// How large a cell may be. No DOM.

const CAPTION = 27; // CSS pixels of a grid's title and the gap below it
const LEAST = 24, MOST = 52; // CSS pixels: a finger's least target, and what looks calm

/**
 * Cells and fixed pixels that stand side by side and one above the other in each layout.
 * @param {import("./scene.js").Scene} scene @param {boolean} products whether they are shown
 */
function extent(scene, products) {
  const [height, width] = [scene.inputs[0].values.length + 2 * scene.padding, scene.inputs[0].values[0].length + 2 * scene.padding];
  const kernel = scene.kernels[0]?.[0]?.length ?? 0;
  const output = scene.outputs[0]?.values ?? [[0]];
  const wide = output[0].length, high = output.length;
  const picture = scene.inputs[0].tint ? 3 : 0;
  if (scene.layout === "rows") {
    const channels = scene.inputs.length;
    const across = width + kernel + wide * (channels > 1 ? 2 : 1) + 1 + picture;
    return { across, fixed: 210 + (products ? 62 * kernel : 0), down: Math.max(height, kernel) * channels, over: CAPTION * channels };
  }
  if (scene.layout === "matrix") {
    const channels = scene.inputs.length;
    const lines = scene.kernels.length;
    return {
      across: width + kernel * channels + wide + 1 + picture,
      fixed: 150 + 14 * channels,
      down: Math.max(height * channels, Math.max(kernel, high) * lines),
      over: CAPTION * Math.max(channels, lines),
    };
  }
  const first = scene.outputs.filter(({ input }) => input === 0);
  return {
    across: width + first.reduce((sum, { values }) => sum + values[0].length, 0),
    fixed: 60 + 24 * first.length,
    down: Math.max(height, ...first.map(({ values }) => values.length)) * scene.inputs.length,
    over: CAPTION * scene.inputs.length,
  };
}

/** Side of a cell with which everything stands in a room of this size. @param {import("./scene.js").Scene} scene */
function fitting(scene, width, height, products) {
  const { across, fixed, down, over } = extent(scene, products);
  return Math.floor(Math.min((width - fixed) / across, (height - over) / down));
}

const bounded = (side) => Math.max(LEAST, Math.min(MOST, side));

/**
 * How large cells are, whether the sum stands beside the grids or below, and whether there is room for the products.
 * @param {import("./scene.js").Scene} scene @param {{width: number, height: number, beside: number, below: number}} room pixels, with
 *   what the sum takes of the width beside the grids or of the height below
 */
export function arrange(scene, { width, height, beside, below }) {
  const { across, fixed } = extent(scene, true);
  const holds = (pixels) => pixels >= fixed + across * LEAST;
  const under = bounded(fitting(scene, width, height - below, true)), aside = bounded(fitting(scene, width - beside, height, true));
  const several = scene.inputs.length > 1;
  if (holds(width - beside) && (aside > under || (aside === under && several))) return { side: aside, aside: true, products: true };
  if (holds(width)) return { side: under, aside: false, products: true };
  return { side: bounded(fitting(scene, width, height - below, false)), aside: false, products: false };
}

/** On a phone grids wrap: cells are as large as height alone allows, and the sum has the products. @param {import("./scene.js").Scene} scene */
export function arrangeNarrow(scene) {
  return { side: Math.min(32, bounded(fitting(scene, Infinity, 330, false))), aside: false, products: false };
}
