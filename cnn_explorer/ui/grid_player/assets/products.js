// The products of one window and one kernel, laid out like the kernel.

import { element, part } from "./element.js";
import { short, term } from "./numbers.js";

export class Products {
  /** @param {string} title @param {number} side of the kernel */
  constructor(title, side) {
    this.element = element("figure", "grid products");
    this.element.innerHTML = `<figcaption><b></b></figcaption><div class="scroll"><table aria-hidden="true"></table></div>`;
    part(this.element, "b", HTMLElement).textContent = title;
    const table = part(this.element, "table", HTMLTableElement);
    /** @type {{cell: HTMLElement, factors: HTMLElement, product: HTMLElement}[]} */
    this.cells = [];
    for (let row = 0; row < side; row++) {
      const line = table.insertRow();
      for (let column = 0; column < side; column++) {
        const cell = line.insertCell();
        const factors = element("span"), product = element("b");
        cell.append(factors, product);
        this.cells.push({ cell, factors, product });
      }
    }
  }

  /** @param {import("../types.d.ts").Product[]} products */
  update(products) {
    products.forEach(({ value, weight, product, padding }, index) => {
      const { cell, factors, product: result } = this.cells[index];
      factors.textContent = `${term(value)}·${term(weight)}`;
      result.textContent = short(product);
      cell.classList.toggle("padding", padding);
    });
  }

  /** Mark one product. @param {number} at its number, or −1 for none */
  mark(at) {
    this.cells.forEach(({ cell }, index) => cell.classList.toggle("term", index === at));
  }
}
