// The products of one window and one kernel, laid out like the kernel.

import { short, term } from "./numbers.js";

export class Products {
  /** @param {string} title @param {number} side of the kernel */
  constructor(title, side) {
    this.element = document.createElement("figure");
    this.element.className = "grid products";
    this.element.innerHTML = `<figcaption><b></b></figcaption><div class="scroll"><table aria-hidden="true"></table></div>`;
    this.element.querySelector("b").textContent = title;
    const table = this.element.querySelector("table");
    this.cells = [];
    for (let row = 0; row < side; row++) {
      const line = table.insertRow();
      for (let column = 0; column < side; column++) {
        const cell = line.insertCell();
        cell.innerHTML = "<span></span><b></b>";
        this.cells.push(cell);
      }
    }
  }

  /** @param {ReturnType<import("./sums.js").productsOf>} products */
  update(products) {
    products.forEach(({ value, weight, product, padding }, index) => {
      const cell = this.cells[index];
      cell.firstChild.textContent = `${term(value)}·${term(weight)}`;
      cell.lastChild.textContent = short(product);
      cell.classList.toggle("padding", padding);
    });
  }

  /** Mark one product. @param {number} at its number, or −1 for none */
  mark(at) {
    this.cells.forEach((cell, index) => cell.classList.toggle("term", index === at));
  }
}
