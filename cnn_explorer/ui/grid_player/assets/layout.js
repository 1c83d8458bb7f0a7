// How large a cell may be. No DOM.

const CAPTION = 27; // CSS pixels of a grid's title and the gap below it
const LEAST = 24, MOST = 52; // CSS pixels: a finger's least target, and what looks calm

/**
 * Cells and fixed pixels that stand side by side and one above the other in each layout.
 * @param {import("./scene.js").Scene} scene
 */
function extent(scene) {
  const [height, width] = [scene.inputs[0].values.length + 2 * scene.padding, scene.inputs[0].values[0].length + 2 * scene.padding];
  const kernel = scene.kernels[0]?.[0]?.length ?? 0;
  const output = scene.outputs[0]?.values ?? [[0]];
  const wide = output[0].length, high = output.length;
  const picture = scene.inputs[0].tint ? 3 : 0;
  if (scene.layout === "rows") {
    const channels = scene.inputs.length;
    const across = width + kernel + wide * (channels > 1 ? 2 : 1) + 1 + picture;
    return { across, fixed: 210 + 62 * kernel, down: Math.max(height, kernel) * channels, over: CAPTION * channels };
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

/** Side of a cell, so that everything stands in a room of this size where that can be. @param {import("./scene.js").Scene} scene */
export function cellSide(scene, width, height) {
  const { across, fixed, down, over } = extent(scene);
  const side = Math.floor(Math.min((width - fixed) / across, (height - over) / down));
  return Math.max(LEAST, Math.min(MOST, side));
}
