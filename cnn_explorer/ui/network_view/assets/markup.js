// The parts of the view as HTML, built once.

/**
 * A button with a line drawing on a 24 × 24 grid.
 * @param {string} kind
 * @param {string} name
 * @param {string} title
 * @param {string} path
 */
const tool = (kind, name, title, path) =>
  `<button type="button" data-${kind}="${name}" title="${title}" aria-label="${title}"><svg viewBox="0 0 24 24"
    aria-hidden="true"><path d="${path}"/></svg></button>`;

// At the first visit, and in the help.
const FIRST_WORDS = "Draw. Every square is what one filter sees. Point at any; open it; Escape leads back.";

export const MARKUP = `
<section class="draw" aria-label="Drawing">
  <div class="surface"><canvas class="paper" tabindex="0" role="application"
    aria-roledescription="drawing surface"></canvas><canvas class="outline"></canvas><p
      class="hint">Draw a digit here</p></div>
  <div class="tools" role="toolbar" aria-label="Drawing tools">
    ${tool("tool", "pen", "Pen", "M4 20l1-5L16 4l4 4L9 19z M14 6l4 4")}
    ${tool("tool", "eraser", "Eraser", "M9 20l-6-6L13 4l8 8-8 8z M8 9l8 8 M9 20h12")}
    ${tool("do", "undo", "Undo (Ctrl+Z)", "M9 5L4 10l5 5 M4 10h10a5 5 0 010 10h-3")}
    ${tool("do", "redo", "Redo (Ctrl+Y)", "M15 5l5 5-5 5 M20 10H10a5 5 0 000 10h3")}
    ${tool("do", "clear", "Clear", "M5 7h14 M10 7V4h4v3 M7 7l1 13h8l1-13")}
  </div>
  <div class="seen">
    <div class="tiles"><canvas class="image" role="img"></canvas><canvas class="marks" hidden></canvas><canvas
      class="outline"></canvas></div>
    <output class="short-answer" aria-hidden="true"><strong></strong><span></span></output>
    <div><p class="about"></p>
    <button type="button" class="more" aria-expanded="false" aria-controls="gallery">Pick a digit ▾</button>
    <button type="button" class="present-button" aria-pressed="false"
      title="Larger, without what a lecture can do without">Present</button></div>
  </div>
  <div class="gallery" id="gallery" role="group" aria-label="Digits from MNIST" hidden></div>
</section>
<div class="stage">
  <div class="pin" role="group" aria-label="Compare with a pinned network" hidden></div>
  <p class="welcome" hidden><span>${FIRST_WORDS}</span><button type="button" data-close="welcome"
    title="Close for good" aria-label="Close for good">×</button></p>
  <section class="layers" aria-label="Layers"></section>
  <section class="detail" aria-label="Opened map" hidden></section>
  <section class="detail kernels" aria-label="Kernels" hidden></section>
</div>
<footer>
  <div class="scale" role="group" aria-label="Colour scale">
    <span>Colours per</span>
    <button type="button" data-scale="map">map</button><button type="button" data-scale="layer">layer</button><button
      type="button" data-scale="network">network</button>
    <span class="legend values"><span>−</span><i></i><span>+</span></span>
    <span class="legend weights" hidden><span>−</span><i></i><span>+</span></span>
  </div>
  <div class="sizes" role="group" aria-label="Size of the maps">
    <span>Maps</span>
    <button type="button" data-sizes="large" title="Every map as large as the page allows">large</button><button
      type="button" data-sizes="toscale" title="A map half as high is drawn half as high">to scale</button>
  </div>
  <p class="label"></p>
  <p class="training" hidden><button type="button"></button><label><input type="checkbox">after each change</label></p>
  <p class="agree" hidden><button type="button" class="term" data-term="agrees"></button></p>
  <details class="layer-table"><summary
    title="Shapes, parameters and multiply-adds, layer by layer">Layer table</summary><div class="scroll"
      tabindex="0"><table></table></div></details>
  <button type="button" class="ask" aria-expanded="false" aria-controls="help"
    title="How this page works, and what its words mean" aria-label="Help">?</button>
</footer>
<section class="help" id="help" aria-label="Help" hidden>
  <p>${FIRST_WORDS} Your drawing changes no weight: the network has learned before.</p>
  <dl></dl>
</section>
<svg class="links" aria-hidden="true"><path class="many"/><path class="single"/></svg>
<div class="spoken" role="status" aria-live="polite"></div>
<div class="card" hidden></div>`;
