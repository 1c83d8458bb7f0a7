// The products of one window and one kernel, laid out like the kernel.

import { element, part } from "./element.js";
import { bracketed, short } from "./numbers.js";

export class Products {
  /** @param {string} title @param {number[][]} kernel */
  constructor(title, kernel) {
    this.element = element("figure", "grid products");
    this.element.innerHTML = `<figcaption><b></b></figcaption><div class="scroll"><table
      aria-hidden="true"></table></div>`;
    part(this.element, "b", HTMLElement).textContent = title;
    const table = part(this.element, "table", HTMLTableElement);
    /** @type {{cell: HTMLElement, value: HTMLElement, weight: HTMLElement, product: HTMLElement}[]} */
    this.cells = [];
    for (let row = 0; row < kernel.length; row++) {
      const line = table.insertRow();
      for (let column = 0; column < kernel[0].length; column++) {
        const cell = line.insertCell();
        const value = element("i");
        const weight = element("i");
        const product = element("b");
        cell.append(element("span", "", value, weight), product);
        this.cells.push({ cell, value, weight, product });
      }
    }
  }

  /** @param {import("../types.d.ts").Product[]} products @param {string} title "" for the same as before */
  update(products, title = "") {
    if (title) part(this.element, "b", HTMLElement).textContent = title;
    products.forEach(({ value, weight, product, padding }, index) => {
      const { cell, value: left, weight: right, product: result } = this.cells[index];
      left.textContent = bracketed(value);
      right.textContent = `·${bracketed(weight)}`;
      result.textContent = short(product);
      cell.classList.toggle("padding", padding);
    });
  }

  /** Mark one product. @param {number} at its number, or −1 for none */
  mark(at) {
    this.cells.forEach(({ cell }, index) => cell.classList.toggle("term", index === at));
  }
}
